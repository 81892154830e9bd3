"""How often each output has fired, for software that watches a network."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ...memory import RAM
from .layouts import column_shape, gate_row

__all__ = ["COUNT_BITS", "FiredCounts"]

COUNT_BITS = 16


class FiredCounts(wiring.Component):
    """Counts fired outputs by slot; a count stays at its largest value.

    Members
    -------
    gate : In(gate_row)
        One row a cycle. Its ``clear`` comes before its own count.
    address : In
        Counts to read: those of slots ``address * D`` to ``address * D + D-1``.
    data : Out(array of D), data_valid : Out(1)
        With ``data_valid``, the counts of the address. The gate goes first: in a cycle in which it
        counts there is no answer.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "gate": In(gate_row(config)),
                "address": In(column_shape(config)),
                "data": Out(data.ArrayLayout(COUNT_BITS, config.array.group)),
                "data_valid": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        columns = self._config.array.slots
        m.submodules.memory = memory = RAM(
            depth=max(2, columns),
            width=COUNT_BITS * self._config.array.group,
            style="distributed",
            asynchronous=True,
            name="fired counts",
        )
        used = Signal(columns)  # columns that have been counted since they were cleared
        gate = self.gate
        here = Signal(column_shape(self._config))
        m.d.comb += [
            here.eq(Mux(gate.some, gate.column, self.address)),
            memory.r_addr.eq(here),
            memory.w_addr.eq(here),
            memory.w_en.eq(gate.some),
        ]

        counts = Signal.like(self.data)
        with m.If(used.bit_select(here, 1) & ~gate.clear):
            m.d.comb += counts.eq(memory.r_data)
        for lane in range(self._config.array.group):
            more = Signal(COUNT_BITS + 1, name=f"more{lane}")
            overflow = more[-1].replicate(COUNT_BITS)
            m.d.comb += [
                more.eq(counts[lane] + gate.fired[lane]),
                memory.w_data.word_select(lane, COUNT_BITS).eq(more[:-1] | overflow),
            ]
        with m.If(gate.clear):
            m.d.sync += used.eq(0)
        with m.If(gate.some):
            m.d.sync += used.bit_select(here, 1).eq(1)

        m.d.comb += [self.data_valid.eq(~gate.some), self.data.eq(counts)]
        return m
