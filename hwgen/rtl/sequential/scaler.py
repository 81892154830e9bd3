"""Requantization of a sum in two cycles."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ... import arithmetic
from ...isa.parameters import BIAS_BITS
from .multiply_add import MultiplyAdd

__all__ = ["Scaler"]

RESULT_BITS = 9
HALF = 16
"""Bits of a sum that are multiplied at once."""


class Scaler(wiring.Component):
    """``clamp((acc*M + B + (1 << (S-1))) >> S, low, high)``, half up, exact.

    A sum a cycle; the result is there in the cycle after it, for the shift and the clamp of that
    cycle. The shift is 1 to ``shift_max``, and low is not above high.

    Parameters
    ----------
    multiplier_bits : int
        Bits of M, signed; at most 16.
    shift_max : int
        Largest S.

    Members
    -------
    sum : In(signed(32)), multiplier, bias : In(signed)
        Of a sum.
    shift, low, high : In
        Of the sum before.
    o : Out(signed(9))
        Result of the sum before.
    """

    def __init__(self, *, multiplier_bits: int, shift_max: int):
        super().__init__(
            {
                "sum": In(signed(32)),
                "multiplier": In(signed(multiplier_bits)),
                "bias": In(signed(BIAS_BITS)),
                "shift": In(shift_max.bit_length()),
                "low": In(signed(RESULT_BITS)),
                "high": In(signed(RESULT_BITS)),
                "o": Out(signed(RESULT_BITS)),
            }
        )

    model = staticmethod(arithmetic.requantize)

    def elaborate(self, platform):
        m = Module()
        m.submodules.lower = lower = MultiplyAdd(signed_a=False)
        m.submodules.upper = upper = MultiplyAdd(signed_a=True)
        # The product of a half has 32 bits; what the lower one carries over is 16 of them.
        m.d.comb += [
            lower.i_a.eq(self.sum[:HALF]),
            lower.i_b.eq(self.multiplier),
            upper.i_a.eq(self.sum[HALF:]),
            upper.i_b.eq(self.multiplier),
            upper.i_c.eq(lower.o[HALF:].as_signed()),
        ]
        product = Cat(lower.o[:HALF], upper.o).as_signed()
        total = Signal(signed(BIAS_BITS + 1), reset_less=True)
        m.d.sync += total.eq(product + self.bias)
        self._round(m, total)
        return m

    def _round(self, m, total):
        """floor((t + (1 << (S-1))) / 2**S) is ((t >> (S-1)) + 1) >> 1, without a wide addition. The
        shift goes first by eights, then by ones. What has more than 11 bits in the end is
        beyond any clamp, so of all above it matters only whether it is the sign.
        """
        places, sign = Signal.like(self.shift), total[-1]
        m.d.comb += places.eq(self.shift - 1)
        eights, ones = places[3:], places[:3]
        near = RESULT_BITS + 2
        window = Signal(near + 7)
        m.d.comb += window.eq(total >> Cat(Const(0, 3), eights))
        above = Signal(1 << len(eights))
        for n in range(len(above)):
            rest = total[min(len(window) + 8 * n, len(total)) :]
            m.d.comb += above[n].eq(rest != sign.replicate(len(rest)))
        shifted = Signal(len(window))
        m.d.comb += shifted.eq(Cat(window, sign).as_signed() >> ones)
        beyond = above.bit_select(eights, 1)
        beyond |= shifted[near - 1 :] != sign.replicate(8)

        rounded = Signal(signed(near))
        m.d.comb += [
            rounded.eq((shifted[:near].as_signed() + 1) >> 1),
            self.o.eq(rounded),
        ]
        with m.If(Mux(beyond, sign, rounded < self.low)):
            m.d.comb += self.o.eq(self.low)
        with m.Elif(Mux(beyond, ~sign, rounded > self.high)):
            m.d.comb += self.o.eq(self.high)
