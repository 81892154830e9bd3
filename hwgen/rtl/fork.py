"""One stream to several takers, and the strobes of several doers to one."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Fork", "StrobeJoin"]


class Fork(wiring.Component):
    """Offers each payload to all outputs; takes it when all have taken it, each in its own time,
    in the cycle before or earlier. A payload every other cycle.

    ``ready`` of the input depends on registers only; ``valid`` and the payload pass through.

    Parameters
    ----------
    shape : ShapeLike
        Payload.
    ways : int
        Number of outputs.
    """

    def __init__(self, shape, *, ways: int):
        if ways < 1:
            raise ValueError(f"Fork ways must be at least 1, not {ways!r}")
        self._ways = ways
        super().__init__(
            {"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)).array(ways)}
        )

    def elaborate(self, platform):
        m = Module()
        taken = Signal(self._ways)
        m.d.comb += self.i.ready.eq(taken.all())
        for n, o in enumerate(self.o):
            m.d.comb += [o.payload.eq(self.i.payload), o.valid.eq(self.i.valid & ~taken[n])]
            with m.If(o.valid & o.ready):
                m.d.sync += taken[n].eq(1)
        with m.If(taken.all()):
            m.d.sync += taken.eq(0)
        return m


class StrobeJoin(wiring.Component):
    """A strobe when every input has had one more strobe: the n-th output strobe follows
    everyone's n-th.

    Parameters
    ----------
    ways : int
        Number of inputs.
    depth : int
        How far an input may be ahead of the slowest.

    Members
    -------
    i : In(ways)
        Strobes.
    o : Out(1)
        One cycle after the last of them.
    """

    def __init__(self, *, ways: int, depth: int):
        if ways < 1:
            raise ValueError(f"StrobeJoin ways must be at least 1, not {ways!r}")
        if depth < 1:
            raise ValueError(f"StrobeJoin depth must be at least 1, not {depth!r}")
        self._ways = ways
        self._depth = depth
        super().__init__({"i": In(ways), "o": Out(1)})

    def elaborate(self, platform):
        m = Module()
        ahead = Signal(self._ways)
        for n in range(self._ways):
            count = Signal(range(self._depth + 1), name=f"count_{n}")
            m.d.sync += count.eq(count + self.i[n] - self.o)
            m.d.comb += ahead[n].eq(count != 0)
        m.d.comb += self.o.eq(ahead.all())
        return m
