"""The sums of a group: two banks of rows."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ..commands import row_shape
from ..unreset import unreset
from .layouts import DEPARTED, dealt_row, gate_row, row_operation
from .sum_bank import SumBank

__all__ = ["Accumulators"]


class Accumulators(wiring.Component):
    """Adds a row of dot products to a row of sums, every cycle if need be.

    Stages: read (the operation comes in), answer of the memory, add, write. Sums wrap at 32 bits.
    The row that is written may be read again ``distance`` cycles after it was read; it is for the
    issuer to keep to that. A gated row is written to the other bank when it has been judged,
    without the sums that fired; its place is free for the task rows of the packer.

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
        ``operation``, three cycles later: its sums are written in this cycle, unless the gate
        judges them first.
    totals : Out(array of D)
        The sums of ``written``.
    drain_en, drain_bank, drain_row : In
        Row that the drain reads; ``drain_bank`` stays until it has been looked at.
    drain_take : In(1), drain_sums : Out(array of D)
        The row that was read, from the cycle after ``drain_take`` until the next. A row is read at
        least a cycle before.
    drain_departed : Out(D)
        Lanes whose sum has become a task, of the row that was there to be taken in the cycle
        before, if it is one that was judged. This and the following: gated only.
    judged : In(gate_row)
        What the gate says of a row.
    dealt_en, dealt_bank : In(1), dealt : In(dealt_row)
        Write port of the packer, for rows of a bank whose operations are all gated.
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
            "drain_take": In(1),
            "drain_sums": Out(sums),
        }
        if config.array.gated:
            members |= {
                "drain_departed": Out(engines),
                "judged": In(gate_row(config)),
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
        sums = [bank.sums for bank in banks]
        m.d.comb += self.drain_sums.eq(Mux(self.drain_bank, sums[1], sums[0]))
        if config.array.gated:
            departed = [bank.departed for bank in banks]
            m.d.comb += self.drain_departed.eq(Mux(self.drain_bank, departed[1], departed[0]))

        before = Signal(data.ArrayLayout(signed(32), config.array.group))
        with m.If(~adding.first):
            m.d.comb += before.eq(Mux(adding.bank, sums[1], sums[0]))
        totals = unreset(m, self.totals)
        with m.If(adding.some):
            for lane in range(config.array.group):
                m.d.sync += totals[lane].eq(before[lane] + self.products[lane])
        return m

    def _bank(self, m, number):
        """One bank; the drain and the packer take their turns with the operations."""
        m.submodules[f"bank{number}"] = bank = SumBank(self._config)
        read, early, written = self.operation, self.early, self.written
        mine, drained, target = (
            Signal(name=f"{name}{number}") for name in ("mine", "drained", "target")
        )
        m.d.comb += [
            mine.eq(read.some & ~read.first & (read.bank == number)),
            drained.eq(self.drain_bank == number),
            bank.r_en.eq(mine | (self.drain_en & drained)),
            bank.r_row.eq(Mux(mine, read.row, self.drain_row)),
            bank.take.eq(
                (early.some & ~early.first & (early.bank == number)) | (self.drain_take & drained)
            ),
            bank.w_en.eq(written.some & target),
            bank.w_row.eq(written.row),
            bank.w_sums.eq(self.totals),
        ]
        m.d.comb += target.eq(written.bank == number)
        if self._config.array.gated:
            judged = self.judged
            m.d.comb += target.eq((written.bank == number) & ~written.gate)
            with m.If(judged.some & (judged.bank != number)):
                m.d.comb += [bank.w_en.eq(1), bank.w_row.eq(judged.row)]
                for lane in range(self._config.array.group):
                    total = Mux(judged.fired[lane], DEPARTED, judged.sums[lane])
                    m.d.comb += bank.w_sums[lane].eq(total)
            with m.If(self.dealt_en & (self.dealt_bank == number)):
                m.d.comb += [
                    bank.w_en.eq(1),
                    bank.w_row.eq(self.dealt.row),
                    bank.w_sums.eq(self.dealt.sums),
                ]
        return bank
