"""Products of two numbers, for which there is time."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SerialProduct"]


class SerialProduct(wiring.Component):
    """Multiplies by adding: ``product`` is ``a * b + c`` while ``done``, as many cycles after
    ``start`` as ``b`` has bits, one more at least, until the next start.

    Parameters
    ----------
    a, b, c : int
        Bits of the operands.

    Members
    -------
    start : In(1)
        Takes the operands.
    a, b, c : In
    product : Out(a + b)
        Must be able to hold the result.
    done : Out(1)
    """

    def __init__(self, *, a: int, b: int, c: int):
        super().__init__(
            {
                "start": In(1),
                "a": In(a),
                "b": In(b),
                "c": In(c),
                "product": Out(a + b),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        left = Signal.like(self.b)
        addend = Signal(len(self.product))
        m.d.comb += self.done.eq(left == 0)
        with m.If(self.start):
            m.d.sync += [self.product.eq(self.c), addend.eq(self.a), left.eq(self.b)]
        with m.Else():
            with m.If(left[0]):
                m.d.sync += self.product.eq(self.product + addend)
            m.d.sync += [addend.eq(addend << 1), left.eq(left >> 1)]
        return m
