"""Counters of free places, one for each of many receivers that are all given the same."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Credits"]


class Credits(wiring.Component):
    """Says when everybody has room, counting what each was given and has given back.

    Much follows from what it says, so that comes from registers, set together with the counts.

    Parameters
    ----------
    ways : int
        Number of receivers, at least 1.
    room : int
        Places of each, at least 1.

    Members
    -------
    take : In(1)
        A place of each is taken in this cycle; only while ``available``.
    released : In(ways)
        Strobe of each receiver: a place is free again.
    available : Out(1)
        Everybody has a place, as of the strobes of the cycles before.
    full : Out(1)
        Everybody has all places.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, *, ways: int, room: int):
        for name, value in (("ways", ways), ("room", room)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Credits {name} must be a positive integer, not {value!r}")
        self._ways = ways
        self._room = room
        # The proofs look at these.
        self._free = [Signal(range(room + 1), init=room, name=f"free{n}") for n in range(ways)]
        super().__init__(
            {
                "take": In(1),
                "released": In(ways),
                "available": Out(1, init=1),
                "full": Out(1, init=1),
            }
        )

    @property
    def room(self) -> int:
        return self._room

    def elaborate(self, platform):
        m = Module()
        # Of each, whether it has so many places in the next cycle; whether one is taken comes late.
        some, another, whole = (
            Signal(self._ways, name=name) for name in ("some", "another", "whole")
        )
        for n, (free, released) in enumerate(zip(self._free, self.released, strict=True)):
            m.d.sync += free.eq(free + released - self.take)
            m.d.comb += [
                some[n].eq((free != 0) | released),
                another[n].eq((free > 1) | ((free == 1) & released)),
                whole[n].eq((free == self._room) | ((free == self._room - 1) & released)),
            ]
        m.d.sync += [
            self.available.eq(Mux(self.take, another.all(), some.all())),
            self.full.eq(~self.take & whole.all()),
        ]
        return m
