"""A two-entry buffer in which nothing moves."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["TwoPlaces"]


class TwoPlaces(wiring.Component):
    """Two entries between two streams, in every cycle what :class:`~hwgen.rtl.group.buffer`'s are.

    A payload stays in its place until it is taken, so that ``o.ready`` leads to three registers
    only, and not to the payloads': for an ``o.ready`` that comes late and from far away. In turn
    ``o.payload`` is chosen from two registers.

    Parameters
    ----------
    shape : ShapeLike
        Payload.

    Members
    -------
    i : In(stream), o : Out(stream)
    """

    def __init__(self, shape):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})
        # Here, where a proof can see them.
        self._places = [Signal(shape, name=f"place{n}", reset_less=True) for n in range(2)]
        self._filling, self._oldest = Signal(name="filling"), Signal(name="oldest")
        self._full = Signal(name="full")

    def elaborate(self, platform):
        m = Module()
        filling, oldest, full, places = self._filling, self._oldest, self._full, self._places
        arrives, leaves = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~full),
            self.o.payload.eq(Mux(oldest, places[1], places[0])),
            arrives.eq(self.i.valid & ~full),
            leaves.eq(self.o.valid & self.o.ready),
        ]
        m.d.sync += [
            filling.eq(filling ^ arrives),
            oldest.eq(oldest ^ leaves),
            self.o.valid.eq(full | arrives | (self.o.valid & ~self.o.ready)),
            full.eq(Mux(full, ~self.o.ready, arrives & self.o.valid & ~self.o.ready)),
        ]
        for n, place in enumerate(places):
            with m.If(arrives & (filling == n)):
                m.d.sync += place.eq(self.i.payload)
        return m
