"""A place to step aside, so that a long way back ends in a register."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Skid"]


class Skid(wiring.Component):
    """A stream with a place for one payload: a transfer a cycle, latency 0.

    ``i.ready`` is a register, and says that the place is free; ``o`` depends on ``i`` in the same
    cycle. A payload waits in the place if ``o`` does not take it at once.

    Parameters
    ----------
    shape : ShapeLike
        Payload.

    Members
    -------
    i : In(stream), o : Out(stream)
    waiting : Out(1)
        The place is taken.
    """

    def __init__(self, shape):
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "waiting": Out(1),
            }
        )
        self._spare = Signal(shape, name="spare", reset_less=True)  # here, where a proof can see it

    def elaborate(self, platform):
        m = Module()
        spare, waiting = self._spare, self.waiting
        m.d.comb += [
            self.i.ready.eq(~waiting),
            self.o.valid.eq(waiting | self.i.valid),
            self.o.payload.eq(Mux(waiting, spare, self.i.payload)),
        ]
        m.d.sync += waiting.eq(self.o.valid & ~self.o.ready)
        with m.If(~waiting):
            m.d.sync += spare.eq(self.i.payload)
        return m
