"""One bit of every activation at a time: no multipliers."""

from amaranth import *

from .adder_tree import AdderTree
from .base import OPERAND_BITS, Mac

__all__ = ["SerialMac"]


class SerialMac(Mac):
    """:class:`Mac` that adds the weights of the lanes whose activation has a bit set, bit by bit.

    Bits go from the lowest to the highest, and the running sum moves right under a fixed adder:
    each step fixes one more low bit of the result. The last bit of a signed activation weighs -128,
    so its step subtracts.
    """

    @staticmethod
    def latency_of(lanes: int) -> int:
        return 1 + AdderTree.latency_of(lanes) + OPERAND_BITS

    @property
    def interval(self) -> int:
        return OPERAND_BITS

    def elaborate(self, platform):
        m = Module()
        m.submodules.tree = tree = AdderTree(terms=self.lanes, width=OPERAND_BITS)

        # Operands. Activations shift out, so an idle unit offers zeros to the tree.
        is_signed = Signal(reset_less=True)
        terms = []
        for lane in range(self.lanes):
            bits = Signal(OPERAND_BITS, name=f"bits{lane}")
            weight = Signal(OPERAND_BITS, name=f"weight{lane}", reset_less=True)
            m.d.sync += bits.eq(bits >> 1)
            with m.If(self.i_start):
                m.d.sync += [
                    bits.eq(self.i_activations.word_select(lane, OPERAND_BITS)),
                    weight.eq(self.i_weights.word_select(lane, OPERAND_BITS)),
                ]
            terms.append(weight & bits[0].replicate(OPERAND_BITS))
        with m.If(self.i_start):
            m.d.sync += is_signed.eq(self.i_signed)
        m.d.comb += tree.i.eq(Cat(terms))

        # One bit a step tells which steps are under way; they pass the tree beside its terms.
        steps = Signal(OPERAND_BITS)
        m.d.sync += steps.eq(Cat(self.i_start, steps))
        step = Cat(steps.any(), steps[0], steps[-1] & is_signed)
        for stage in range(tree.latency):
            delayed = Signal(3, name=f"step{stage}")
            m.d.sync += delayed.eq(step)
            step = delayed
        running, first, negative = step

        low = Signal(OPERAND_BITS - 1, reset_less=True)
        high = Signal(signed(self.sum_bits - len(low)), reset_less=True)
        shifted = Signal.like(high)
        m.d.comb += shifted.eq(Mux(first, 0, high >> 1))
        with m.If(running):
            m.d.sync += [
                high.eq(shifted + Mux(negative, -tree.o, tree.o)),
                low.eq(Cat(low[1:], high[0])),
            ]
        m.d.comb += self.o_sum.eq(Cat(low, high).as_signed())
        return m
