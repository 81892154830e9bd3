"""A product added to a sum."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["MultiplyAdd"]


class MultiplyAdd(wiring.Component):
    """``o = a * b + c`` in 32 bits, in the same cycle.

    A component of its own, so that a flow can put a multiplier block of an FPGA with its adder in
    its place (:mod:`hwgen.flows.primitives`).

    Parameters
    ----------
    signed_a : bool
        Whether ``i_a`` is signed.

    Members
    -------
    i_a : In(16), i_b : In(signed(16))
        Factors.
    i_c : In(32), o : Out(32)
        Both wrap.
    """

    def __init__(self, *, signed_a: bool):
        self._signed_a = signed_a
        super().__init__({"i_a": In(16), "i_b": In(signed(16)), "i_c": In(32), "o": Out(32)})

    def elaborate(self, platform):
        m = Module()
        a = self.i_a.as_signed() if self._signed_a else self.i_a
        m.d.comb += self.o.eq(a * self.i_b + self.i_c)
        return m
