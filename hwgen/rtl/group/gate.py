"""The decision: which sums become tasks."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ..commands import weight_write
from .layouts import column_shape, gate_row, row_operation
from .thresholds import ThresholdStore

__all__ = ["Gate"]


class Gate(wiring.Component):
    """Compares the sums of gated rows with the thresholds of their slots, a row a cycle.

    A sum fires if it is strictly greater, both signed. Latency 1 from ``written`` to ``result``. No
    backpressure.

    Members
    -------
    early : In(row_operation)
        The operation two cycles before ``written``: time to fetch the thresholds.
    written : In(row_operation), totals : In(array of D)
        A row whose sums are complete. Gated rows come in raster order.
    result : Out(gate_row)
        What became of it. ``some`` only for gated rows; ``clear`` for any operation, ``end`` for
        the end of a gate, also without a row.
    write_en : In(1), write : In(weight_write)
        See :class:`ThresholdStore`.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "early": In(row_operation(config)),
                "written": In(row_operation(config)),
                "totals": In(data.ArrayLayout(signed(32), config.array.group)),
                "result": Out(gate_row(config)),
                "write_en": In(1),
                "write": In(weight_write(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.store = store = ThresholdStore(self._config)
        column = Signal(column_shape(self._config))  # of the row in `early`
        m.d.comb += [
            store.write_en.eq(self.write_en),
            store.write.eq(self.write),
            store.read_en.eq(self.early.some & self.early.gate),
            store.column.eq(column),
        ]
        with m.If(store.read_en):
            m.d.sync += column.eq(Mux(self.early.completes, 0, column + 1))

        written = self.written
        # What it is, and whose; its sums need no reset.
        members = {n: f for n, f in self.result.shape().members.items() if n != "sums"}
        result = Signal(data.StructLayout(members))
        sums = Signal.like(self.result.sums, reset_less=True)
        m.d.comb += [self.result[name].eq(result[name]) for name in members]
        m.d.comb += self.result.sums.eq(sums)
        m.d.sync += [
            result.some.eq(written.some & written.gate),
            result.end.eq(written.end & written.gate),
            result.clear.eq(written.clear),
        ]
        with m.If(written.some & written.gate):
            m.d.sync += [
                result.row.eq(written.row),
                result.bank.eq(written.bank),
                result.completes.eq(written.completes),
                sums.eq(self.totals),
            ]
            for lane in range(self._config.array.group):
                fires = self.totals[lane] > store.thresholds[lane]
                m.d.sync += result.fired[lane].eq(fires)

        # Whose row it is: counted again here, which is cheaper than to take it along.
        with m.If(result.some):
            m.d.sync += result.column.eq(result.column + 1)
            with m.If(result.completes):
                m.d.sync += [result.column.eq(0), result.position.eq(result.position + 1)]
        with m.If(result.end):
            m.d.sync += [result.column.eq(0), result.position.eq(0)]
        return m
