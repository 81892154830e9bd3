"""A product between registers."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RegisteredProduct"]


class RegisteredProduct(wiring.Component):
    """Product of two signed numbers, two cycles later: registers before and behind the multiplier.

    A component of its own, so that a flow can put the multiplier of an FPGA in its place, which has
    these registers within (:mod:`hwgen.flows.primitives`).

    Parameters
    ----------
    a, b, o : int
        Bits of the factors and of the product, which must fit.

    Members
    -------
    i_en : In(1)
        Takes the factors; else those before stay.
    i_a, i_b : In(signed)
    o : Out(signed)
    """

    latency = 2

    def __init__(self, *, a: int, b: int, o: int):
        super().__init__(
            {"i_en": In(1), "i_a": In(signed(a)), "i_b": In(signed(b)), "o": Out(signed(o))}
        )

    def elaborate(self, platform):
        m = Module()
        a = Signal.like(self.i_a, reset_less=True)
        b = Signal.like(self.i_b, reset_less=True)
        with m.If(self.i_en):
            m.d.sync += [a.eq(self.i_a), b.eq(self.i_b)]
        product = Signal.like(self.o, reset_less=True)
        m.d.sync += product.eq(a * b)
        m.d.comb += self.o.eq(product)
        return m
