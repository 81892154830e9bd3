"""One bit of every activation at a time: no multipliers."""

from amaranth import *

from .adder_tree import AdderTree
from .base import OPERAND_BITS, Mac
from .mode import Mode, Placement
from .steps import StepCounter, by_mode

__all__ = ["SerialMac"]


class SerialMac(Mac):
    """:class:`Mac` that adds the weights of the lanes whose activation has a bit set, bit by bit.

    A mode takes as many steps as an activation has bits, 1 to 16, whatever the weights, which have
    up to 8. Bits go from the highest, at the top of its byte, to the lowest: the sum is doubled in
    each step, so no number of bits needs to be aligned. The first bit of a signed activation is
    negative, so its step subtracts.

    With more than 8 bits an activation lies in two bytes, whose registers become one that shifts
    out of the upper byte; the weight lies in the upper byte too.
    """

    CAN = "1x1 to 16x8"

    @classmethod
    def can(cls, mode: Mode) -> bool:
        return mode.weights <= OPERAND_BITS

    @classmethod
    def depth_of(cls, lanes: int, modes: tuple[Mode, ...]) -> int:
        return 2 + AdderTree.latency_of(lanes)

    @classmethod
    def steps_in(cls, mode: Mode) -> int:
        return mode.activations

    def activations_in(self, mode: Mode) -> Placement:
        room = self.room_in(mode)
        bits = mode.activations
        return Placement(self.lanes_in(mode), room, bits, offset=room - bits)

    def weights_in(self, mode: Mode) -> Placement:
        room = self.room_in(mode)
        offset = room - OPERAND_BITS
        return Placement(self.lanes_in(mode), room, OPERAND_BITS, offset=offset)

    def elaborate(self, platform):
        m = Module()
        m.submodules.tree = tree = AdderTree(terms=self.lanes, width=OPERAND_BITS)
        bits = [mode.activations for mode in self.modes]
        steps = StepCounter(m, self.i_start, self.mode_code, bits)

        wide = Const(0)
        if max(bits) > OPERAND_BITS:
            wide_now = by_mode(m, self.mode_code, [int(n > OPERAND_BITS) for n in bits], "wide_now")
            wide = Signal(reset_less=True)
            with m.If(self.i_start):
                m.d.sync += wide.eq(wide_now)

        # Operands. Activations shift out, so an idle unit offers zeros to the tree.
        is_signed = Signal(reset_less=True)
        terms = []
        below = Const(0)
        for lane in range(self.lanes):
            bits = Signal(OPERAND_BITS, name=f"bits{lane}")
            weight = Signal(OPERAND_BITS, name=f"weight{lane}", reset_less=True)
            m.d.sync += bits.eq(Cat(below & wide if lane % 2 else Const(0), bits[:-1]))
            with m.If(self.i_start):
                m.d.sync += [
                    bits.eq(self.i_activations.word_select(lane, OPERAND_BITS)),
                    weight.eq(self.i_weights.word_select(lane, OPERAND_BITS)),
                ]
            terms.append(weight & bits[-1].replicate(OPERAND_BITS))
            below = bits[-1]
        with m.If(self.i_start):
            m.d.sync += is_signed.eq(self.i_signed)
        m.d.comb += tree.i.eq(Cat(terms))

        step = Cat(steps.running, steps.first, steps.first & is_signed)
        for stage in range(tree.latency):
            later = Signal(3, name=f"step{stage}")
            m.d.sync += later.eq(step)
            step = later
        running, first, negative = step

        # The doubled sum is even, which leaves a place for the one of the two's complement.
        total = Signal(signed(self.sum_bits), reset_less=True)
        before = Cat(negative, Mux(first, 0, total[:-1])).as_signed()
        term = (tree.o.as_unsigned() ^ negative.replicate(len(tree.o))).as_signed()
        with m.If(running):
            m.d.sync += total.eq(before + term)
        m.d.comb += self.o_sum.eq(total)
        return m
