"""A register that passes a reset on to one block."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LocalReset", "add_with_reset"]


class LocalReset(wiring.Component):
    """The reset of one block, a cycle later than the one that all share.

    One register that reset every block would have thousands of loads, from end to end of an FPGA.
    This is a module, because synthesis makes equal registers of the same module one again.

    Members
    -------
    i : In(1)
        The shared one.
    o : Out(1)
        For the block.
    """

    i: In(1)
    o: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(self.i)
        return m


def add_with_reset(m: Module, name: str, component: Elaboratable, reset) -> None:
    """Makes ``component`` a submodule that ``reset`` resets, a cycle later."""
    m.submodules[f"{name}_reset"] = register = LocalReset()
    m.d.comb += register.i.eq(reset)
    m.submodules[name] = ResetInserter(register.o)(component)
