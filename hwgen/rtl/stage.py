"""A register on a long way, for payloads that do not follow each other at once."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .unreset import unreset

__all__ = ["Stage"]


class Stage(wiring.Component):
    """A stream register that cuts both directions: latency 1, a transfer every other cycle.

    ``i.ready`` and ``o`` are registers. It has one entry, of which nothing depends on ``i.valid``
    but that it is there.

    Parameters
    ----------
    shape : ShapeLike
        Payload.

    Members
    -------
    i : In(stream), o : Out(stream)
    """

    def __init__(self, shape):
        super().__init__(
            {"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))},
        )

    def elaborate(self, platform):
        m = Module()
        payload = unreset(m, self.o.payload)
        m.d.comb += self.i.ready.eq(~self.o.valid)
        with m.If(~self.o.valid):
            m.d.sync += [self.o.valid.eq(self.i.valid), payload.eq(self.i.payload)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
