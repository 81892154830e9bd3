"""Bricks: products of two bits by two bits, summed."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .counting import OnesCounter

__all__ = ["BRICK", "BrickColumn"]

BRICK = 2
"""Bits of an operand of a brick."""


class BrickColumn(wiring.Component):
    """Sum of products of two-bit numbers that are of one sign type, ``latency`` cycles later.

    A product of two-bit numbers is four products of bits. Bits of the same weight are counted over
    all bricks, and only then does it matter what a bit is worth: the upper bit of a signed operand
    is worth -2. So a sign costs four inverted counts a column, and nothing a brick.

    One sum a cycle, no backpressure, exact. A zero operand keeps all that follows it still.

    Parameters
    ----------
    bricks : int
        A power of two.

    Members
    -------
    i_activations, i_weights : In(2 * bricks)
        Operands, the first in the low bits.
    i_activations_signed, i_weights_signed : In(1)
        These operands are from -2 to 1; else from 0 to 3.
    o : Out(signed)
        The sum.
    """

    def __init__(self, *, bricks: int):
        self._bricks = bricks
        super().__init__(
            {
                "i_activations": In(BRICK * bricks),
                "i_weights": In(BRICK * bricks),
                "i_activations_signed": In(1),
                "i_weights_signed": In(1),
                "o": Out(signed(self.bits_of(bricks))),
            }
        )

    @staticmethod
    def bits_of(bricks: int) -> int:
        """Bits of a sum: one product is from -6 to 9."""
        return 5 + ceil_log2(bricks)

    @property
    def latency(self) -> int:
        """Cycles from the operands to ``o``."""
        return self.latency_of(self._bricks)

    @staticmethod
    def latency_of(bricks: int) -> int:
        """Latency of a column of so many bricks."""
        return OnesCounter.latency_of(bricks) + 1

    def elaborate(self, platform):
        m = Module()

        counts = {}
        for a in range(BRICK):
            for w in range(BRICK):
                counter = OnesCounter(bits=self._bricks)
                m.submodules[f"ones{a}{w}"] = counter
                m.d.comb += counter.i.eq(self.i_activations[a::BRICK] & self.i_weights[w::BRICK])
                counts[a, w] = counter.o

        a_negative, w_negative = self.i_activations_signed, self.i_weights_signed
        for stage in range(OnesCounter.latency_of(self._bricks)):
            earlier, a_negative, w_negative = (
                (a_negative, w_negative),
                Signal(name=f"activations_signed{stage}", reset_less=True),
                Signal(name=f"weights_signed{stage}", reset_less=True),
            )
            m.d.sync += [a_negative.eq(earlier[0]), w_negative.eq(earlier[1])]

        # Bits of the activations with each bit of the weights, then both: each time a lower sum
        # plus or minus twice an upper one.
        bits = len(counts[0, 0]) + 2
        by_weight = [
            _combined(m, counts[0, w], counts[1, w], a_negative, bits, f"weights{w}")
            for w in range(BRICK)
        ]
        m.d.sync += self.o.eq(_combined(m, *by_weight, w_negative, len(self.o), "total"))
        return m


def _combined(m: Module, low: Value, high: Value, negative: Value, bits: int, name: str) -> Value:
    """``low - 2 * high`` where negative, else ``low + 2 * high``: a signed number of ``bits``.

    The lowest bit passes. Two's complement needs a one more: the carry of two equal bits below.
    """
    if not low.shape().signed:
        low, high = Cat(low, 0), Cat(high, 0)
    inverse = (high.as_unsigned() ^ negative.replicate(len(high))).as_signed()
    upper = Signal(signed(bits), name=name)
    m.d.comb += upper.eq(Cat(negative, low[1:]).as_signed() + Cat(negative, inverse).as_signed())
    return Cat(low[0], upper[1:]).as_signed()
