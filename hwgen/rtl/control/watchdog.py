"""The watchdog."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Watchdog"]


class Watchdog(wiring.Component):
    """Barks when nothing has moved for ``limit`` cycles.

    Parameters
    ----------
    bits : int
        Of the limit.

    Members
    -------
    limit : In(bits)
        Cycles; 0: it sleeps.
    running : In(1)
        Time passes.
    moved : In(1)
        Time starts again.
    bark : Out(1)
        The ``limit`` cycles before this one were running, and nothing moved in them.
    """

    def __init__(self, *, bits: int):
        super().__init__({"limit": In(bits), "running": In(1), "moved": In(1), "bark": Out(1)})

    def elaborate(self, platform):
        m = Module()
        quiet = Signal.like(self.limit)  # cycles, as far as they matter
        m.d.comb += self.bark.eq((self.limit != 0) & (quiet >= self.limit))
        with m.If(self.moved | ~self.running):
            m.d.sync += quiet.eq(0)
        with m.Elif(~quiet.all()):
            m.d.sync += quiet.eq(quiet + 1)
        return m
