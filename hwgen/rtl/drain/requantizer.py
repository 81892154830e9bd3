"""The contract's requantization as a pipeline."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ... import arithmetic
from ...isa.parameters import BIAS_BITS, RESIDUAL_BITS
from ..mac.product import RegisteredProduct

__all__ = ["Requantizer", "requantizer_input"]

RESULT_BITS = 9
PIECE_BITS = 16
"""Of a factor that is multiplied at once: what a multiplier block of an FPGA takes."""


def requantizer_input(
    multiplier_bits: int, shift_max: int, residual: bool = True
) -> data.StructLayout:
    """Operands: ``acc`` and perhaps ``residual`` with their multipliers, bias and shift."""
    added = {"residual": signed(9), "residual_multiplier": signed(RESIDUAL_BITS)}
    return data.StructLayout(
        {
            "acc": signed(32),
            "multiplier": signed(multiplier_bits),
            **(added if residual else {}),
            "bias": signed(BIAS_BITS),
            "shift": shift_max.bit_length(),
        }
    )


class Requantizer(wiring.Component):
    """``clamp((acc*M + b*Mb + B + (1 << (S-1))) >> S, low, high)``, half up, exact.

    A new operand every cycle, the result ``latency`` cycles later. There is no flow control:
    whoever feeds it has room for what comes out. The shift is 1 to ``shift_max`` and low is not
    above high; otherwise the result is of no use.

    Parameters
    ----------
    multiplier_bits : int
        Bits of M, signed.
    shift_max : int
        Largest S.
    residual : bool
        Whether there is b*Mb.

    Members
    -------
    i : In(requantizer_input)
        Operands.
    low, high : In(signed(9))
        Clamp; it stays while operands are under way.
    o : Out(signed(9))
        Result, within low..high.
    """

    latency = 8

    def __init__(self, *, multiplier_bits: int, shift_max: int, residual: bool = True):
        self._multiplier_bits = multiplier_bits
        self._shift_max = shift_max
        self._residual = residual
        self._layout = requantizer_input(multiplier_bits, shift_max, residual)
        super().__init__(
            {
                "i": In(self._layout),
                "low": In(signed(RESULT_BITS)),
                "high": In(signed(RESULT_BITS)),
                "o": Out(signed(RESULT_BITS)),
            }
        )

    model = staticmethod(arithmetic.requantize)

    @property
    def total_bits(self) -> int:
        """Bits that hold the sum before the shift: two products and a bias."""
        return max(32 + self._multiplier_bits, BIAS_BITS) + 1

    def elaborate(self, platform):
        m = Module()
        i = self.i

        def register(name, value, shape=None):
            """``value`` a cycle later."""
            stage = Signal(value.shape() if shape is None else shape, name=name, reset_less=True)
            m.d.sync += stage.eq(value)
            return stage

        def delayed(name, value, cycles):
            for n in range(cycles):
                value = register(f"{name}_{n}", value)
            return value

        def products(name, long, short):
            """Products of the pieces of ``long`` with ``short``, and their places."""
            for low in range(0, len(long), PIECE_BITS):
                piece = long[low : low + PIECE_BITS]
                top = low + PIECE_BITS >= len(long)
                piece = piece.as_signed() if top else piece
                bits = len(piece) + (not top), len(short)
                part = RegisteredProduct(a=bits[0], b=bits[1], o=sum(bits))
                m.submodules[f"{name}_{low}"] = part
                m.d.comb += [part.i_en.eq(1), part.i_a.eq(piece), part.i_b.eq(short)]
                yield part.o << low

        # 1: operands, in registers at the multipliers; 2: products of their pieces.
        pieces = list(products("product", i.acc, i.multiplier))
        residual_pieces = []
        if self._residual:
            residual_pieces = list(products("added", i.residual_multiplier, i.residual))

        # 3, 4: their sum.
        shape = signed(self.total_bits)
        bias = delayed("bias", i.bias, 2)
        product = register("product", sum(pieces), shape)
        others = register("others", sum(residual_pieces) + bias, shape)
        total = register("total", product + others, shape)

        # 5, 6: floor((t + (1 << (S-1))) / 2**S) is ((t >> (S-1)) + 1) >> 1, which needs no wide
        # addition. The shift goes first by eights, then by ones. What has more than 11 bits in the
        # end is beyond any clamp, so of all above it matters only whether it is the sign.
        places = delayed("places", (delayed("shift", i.shift, 1) - 1)[: len(i.shift)], 3)
        eights = places[3:]
        kept = RESULT_BITS + 2 + 7
        sign = register("sign", total[-1])
        window = register("by_eights", (total >> Cat(Const(0, 3), eights))[:kept])
        beyond = Signal(1 << len(eights))
        for n in range(len(beyond)):
            above = total[min(kept + 8 * n, len(total)) :]
            m.d.comb += beyond[n].eq(above != total[-1].replicate(len(above)))
        high = register("high", register("above", beyond.bit_select(eights, 1)))
        by_ones = register("by_ones", Cat(window, sign).as_signed() >> register("ones", places[:3]))

        # 7: whether it is beyond. 8: half up, and the clamp.
        beyond = by_ones[RESULT_BITS + 1 :]
        sign = by_ones[-1]
        near = by_ones[: RESULT_BITS + 2].as_signed()
        far = Cat(~sign.replicate(RESULT_BITS + 1), sign).as_signed()
        doubled = register(
            "doubled", Mux(high | (beyond != sign.replicate(len(beyond))), far, near)
        )
        rounded = Signal(signed(RESULT_BITS + 2))
        m.d.comb += rounded.eq((doubled + 1) >> 1)
        with m.If(rounded < self.low):
            m.d.sync += self.o.eq(self.low)
        with m.Elif(rounded > self.high):
            m.d.sync += self.o.eq(self.high)
        with m.Else():
            m.d.sync += self.o.eq(rounded)
        return m
