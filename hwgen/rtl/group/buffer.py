"""A stream register that cuts both directions."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..unreset import unreset

__all__ = ["StreamBuffer"]


class StreamBuffer(wiring.Component):
    """Two entries between two streams: a transfer a cycle, latency 1, no path through it.

    ``o`` is registered, and ``i.ready`` says that the second entry is free; it goes down only when
    ``o`` stalls. Order is kept, nothing is lost or doubled.

    Parameters
    ----------
    shape
        Shape of the payload.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    """

    def __init__(self, shape):
        super().__init__(
            {"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))},
        )
        self._spare = Signal(shape, name="spare", reset_less=True)  # here, where a proof can see it

    def elaborate(self, platform):
        m = Module()
        spare = self._spare
        spare_valid = Signal()
        payload = unreset(m, self.o.payload)
        m.d.comb += self.i.ready.eq(~spare_valid)

        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [
                self.o.valid.eq(self.i.valid | spare_valid),
                payload.eq(Mux(spare_valid, spare, self.i.payload)),
                spare_valid.eq(0),
            ]
        with m.Elif(self.i.valid & ~spare_valid):
            m.d.sync += [spare.eq(self.i.payload), spare_valid.eq(1)]
        return m
