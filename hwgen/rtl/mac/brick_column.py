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

        # The upper bit of the activations is worth 2 or -2, then likewise that of the weights. A
        # count is short enough to be negated in gates; for a sum, two equal bits below the addends
        # make the carry that a negation needs. The lowest bit passes.
        sums = []
        for w in range(BRICK):
            low, high = counts[0, w], _negated(counts[1, w], a_negative)
            upper = Signal(signed(len(high)), name=f"upper{w}")
            m.d.comb += upper.eq(low[1:] + high)
            sums.append(Cat(low[0], upper).as_signed())
        low, high = sums
        upper = Signal(signed(len(self.o)))
        m.d.comb += upper.eq(
            Cat(w_negative, low[1:]).as_signed()
            + Cat(w_negative, high.as_unsigned() ^ w_negative.replicate(len(high))).as_signed()
        )
        m.d.sync += self.o.eq(Cat(low[0], upper[1:]))
        return m


def _negated(count: Value, negative: Value) -> Value:
    """``-count`` where negative, else ``count``: a bit is inverted if there are ones below it."""
    bits = [count[0]]
    for n in range(1, len(count)):
        bits.append(count[n] ^ (negative & count[:n].any()))
    return Cat(*bits, negative & count.any()).as_signed()
