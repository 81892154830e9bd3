"""One of several requests, in turn."""

from collections.abc import Iterable

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RoundRobin"]


class RoundRobin(wiring.Component):
    """Grants one of the requests of each cycle, in the same cycle; the one after the last winner
    goes first.

    Whoever keeps asking is served within ``ways`` cycles. ``grant`` depends on ``requests``
    combinationally.

    Parameters
    ----------
    ways : int
        Number of requesters, at least 1.

    Members
    -------
    requests : In(ways)
        Who asks in this cycle.
    grant : Out(ways)
        One of them, or nobody if nobody asks.

    Raises
    ------
    ValueError
        If ``ways`` is out of range.
    """

    def __init__(self, *, ways: int):
        if not isinstance(ways, int) or ways < 1:
            raise ValueError(f"RoundRobin ways must be a positive integer, not {ways!r}")
        self._ways = ways
        super().__init__({"requests": In(ways), "grant": Out(ways)})

    @property
    def ways(self) -> int:
        return self._ways

    def model(self, requests: Iterable[int]) -> list[int]:
        """The winner of each cycle, or -1: ``requests`` has a bit for each requester."""
        winners, last = [], self._ways - 1
        for asking in requests:
            order = [(last + 1 + n) % self._ways for n in range(self._ways)]
            winner = next((n for n in order if asking >> n & 1), -1)
            last = winner if winner >= 0 else last
            winners.append(winner)
        return winners

    def elaborate(self, platform):
        m = Module()

        def lowest(bits, name):
            """The lowest set bit alone."""
            only = Signal(self._ways, name=name)
            for n in range(self._ways):
                m.d.comb += only[n].eq(bits[n] & ~bits[:n].any())
            return only

        # Those behind the last winner. Two searches side by side are shorter than one that wraps
        # around.
        later = Signal(self._ways)
        ahead = Signal(self._ways)
        m.d.comb += ahead.eq(self.requests & later)
        m.d.comb += self.grant.eq(
            Mux(ahead.any(), lowest(ahead, "of_ahead"), lowest(self.requests, "of_all"))
        )
        with m.If(self.requests.any()):
            for n in range(self._ways):
                m.d.sync += later[n].eq(self.grant[:n].any())
        return m
