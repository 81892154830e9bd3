"""The sums of a group: two banks of rows."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ...memory import RAM
from ..commands import row_shape
from .layouts import dealt_row, row_operation
from .storage import storage_style

__all__ = ["Accumulators"]


class Accumulators(wiring.Component):
    """Adds a row of dot products to a row of sums, every cycle if need be.

    Stages: read (the operation comes in), answer of the memory, add, write. Sums wrap at 32 bits.
    The row that is written may be read again ``distance`` cycles after it was read; it is for the
    issuer to keep to that. A gated row is written to the other bank; its place is then free for the
    task rows of the packer.

    Reading for the drain goes on beside it, in the bank that the operations do not use; should both
    want the same bank, the drain gets wrong data.

    Parameters
    ----------
    config : Config
    sum_bits : int
        Bits of a dot product.

    Members
    -------
    operation : In(row_operation)
        What is read in this cycle.
    products : In(array of D)
        Dot products, two cycles after their operation.
    early : Out(row_operation)
        ``operation``, one cycle later.
    written : Out(row_operation)
        ``operation``, three cycles later: its sums are written in this cycle.
    totals : Out(array of D)
        The sums of ``written``.
    drain_en, drain_bank, drain_row : In, drain_sums : Out(array of D)
        Read port of the drain, latency 1, held.
    dealt_en, dealt_bank : In(1), dealt : In(dealt_row)
        Write port of the packer, for rows of a bank whose operations are all gated. Gated only.
    """

    READ_TO_PRODUCTS = 2
    distance = 4
    """Cycles from the read of a row to the first that reads what was written."""

    def __init__(self, config: Config, *, sum_bits: int):
        self._config = config
        engines = config.array.group
        sums = data.ArrayLayout(signed(32), engines)
        members = {
            "operation": In(row_operation(config)),
            "products": In(data.ArrayLayout(signed(sum_bits), engines)),
            "early": Out(row_operation(config)),
            "written": Out(row_operation(config)),
            "totals": Out(sums),
            "drain_en": In(1),
            "drain_bank": In(1),
            "drain_row": In(row_shape(config)),
            "drain_sums": Out(sums),
        }
        if config.array.gated:
            members |= {
                "dealt_en": In(1),
                "dealt_bank": In(1),
                "dealt": In(dealt_row(config)),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        adding = Signal(row_operation(config))
        m.d.sync += [
            self.early.eq(self.operation),
            adding.eq(self.early),
            self.written.eq(adding),
        ]

        banks = [self._bank(m, bank) for bank in range(2)]
        drained = Signal()
        with m.If(self.drain_en):
            m.d.sync += drained.eq(self.drain_bank)
        m.d.comb += self.drain_sums.eq(Mux(drained, banks[1].r_data, banks[0].r_data))

        before = Signal(data.ArrayLayout(signed(32), config.array.group), reset_less=True)
        with m.If(self.early.some):
            m.d.sync += before.eq(Mux(self.early.bank, banks[1].r_data, banks[0].r_data))
            with m.If(self.early.first):
                m.d.sync += before.eq(0)
        with m.If(adding.some):
            for lane in range(config.array.group):
                m.d.sync += self.totals[lane].eq(before[lane] + self.products[lane])
        return m

    def _bank(self, m, bank):
        """One bank; the drain and the packer take their turns with the operations."""
        config = self._config
        m.submodules[f"bank{bank}"] = memory = RAM(
            depth=config.array.rows,
            width=32 * config.array.group,
            style=storage_style(config, config.array.rows),
            name="accumulators",
        )
        read, written = self.operation, self.written
        mine = Signal(name=f"read_bank{bank}")
        m.d.comb += [
            mine.eq(read.some & ~read.first & (read.bank == bank)),
            memory.r_en.eq(mine | (self.drain_en & (self.drain_bank == bank))),
            memory.r_addr.eq(Mux(mine, read.row, self.drain_row)),
        ]
        target = written.bank
        if config.array.gated:
            target = target ^ written.gate
        m.d.comb += [
            memory.w_en.eq(written.some & (target == bank)),
            memory.w_addr.eq(written.row),
            memory.w_data.eq(self.totals),
        ]
        if config.array.gated:
            with m.If(self.dealt_en & (self.dealt_bank == bank)):
                m.d.comb += [
                    memory.w_en.eq(1),
                    memory.w_addr.eq(self.dealt.row),
                    memory.w_data.eq(self.dealt.sums),
                ]
        return memory
