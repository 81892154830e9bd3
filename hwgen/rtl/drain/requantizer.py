"""The contract's requantization as a pipeline."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ... import arithmetic
from ...isa.parameters import BIAS_BITS, RESIDUAL_BITS

__all__ = ["Requantizer", "requantizer_input"]


def requantizer_input(multiplier_bits: int, shift_bits: int) -> data.StructLayout:
    """Operands: ``acc`` and ``residual`` with their multipliers, bias, shift (at least 1) and clamp."""
    return data.StructLayout(
        {
            "acc": signed(32),
            "multiplier": signed(multiplier_bits),
            "residual": signed(9),
            "residual_multiplier": signed(RESIDUAL_BITS),
            "bias": signed(BIAS_BITS),
            "shift": shift_bits,
            "low": signed(9),
            "high": signed(9),
        }
    )


class Requantizer(wiring.Component):
    """``clamp((acc*M + b*Mb + B + (1 << (S-1))) >> S, low, high)``, half up, exact.

    A new operand every cycle, the result ``latency`` cycles later. There is no flow control: whoever feeds it
    has room for what comes out.

    Parameters
    ----------
    multiplier_bits : int
        Bits of M, signed.
    shift_bits : int
        Bits of S.

    Members
    -------
    i : In(requantizer_input)
        Operands.
    o : Out(signed(9))
        Result, within low..high.
    """

    latency = 5

    def __init__(self, *, multiplier_bits: int, shift_bits: int):
        self._multiplier_bits = multiplier_bits
        self._layout = requantizer_input(multiplier_bits, shift_bits)
        super().__init__({"i": In(self._layout), "o": Out(signed(9))})

    model = staticmethod(arithmetic.requantize)

    @property
    def total_bits(self) -> int:
        """Bits that hold the sum before the shift: two products, a bias and the rounding constant."""
        largest_shift = (1 << self._layout.members["shift"]) - 1
        return max(32 + self._multiplier_bits, BIAS_BITS, largest_shift) + 2

    def elaborate(self, platform):
        m = Module()
        shift_shape = self._layout.members["shift"]

        def delayed(name, source, cycles, shape):
            """``source`` some cycles later."""
            for n in range(cycles):
                stage = Signal(shape, name=f"{name}_{n}", reset_less=True)
                m.d.sync += stage.eq(source)
                source = stage
            return source

        # 1: operands next to the multiplier, where a DSP block registers them. 2: products. 3: sum. 4: shift. 5: clamp.
        held = Signal(self._layout, reset_less=True)
        m.d.sync += held.eq(self.i)

        product = Signal(signed(32 + self._multiplier_bits), reset_less=True)
        residual_product = Signal(signed(9 + RESIDUAL_BITS), reset_less=True)
        constant = Signal(signed(self.total_bits), reset_less=True)
        # 1 << (S-1)
        rounding = Signal(self.total_bits)
        m.d.comb += rounding.eq((Const(1, 1) << held.shift) >> 1)
        m.d.sync += [
            product.eq(held.acc * held.multiplier),
            residual_product.eq(held.residual * held.residual_multiplier),
            constant.eq(held.bias + rounding),
        ]

        total = Signal(signed(self.total_bits), reset_less=True)
        m.d.sync += total.eq(product + residual_product + constant)

        shifted = Signal(signed(self.total_bits), reset_less=True)
        shift = delayed("shift", held.shift, 2, shift_shape)
        m.d.sync += shifted.eq(total >> shift)

        low = delayed("low", held.low, 3, signed(9))
        high = delayed("high", held.high, 3, signed(9))
        with m.If(shifted < low):
            m.d.sync += self.o.eq(low)
        with m.Elif(shifted > high):
            m.d.sync += self.o.eq(high)
        with m.Else():
            m.d.sync += self.o.eq(shifted)
        return m
