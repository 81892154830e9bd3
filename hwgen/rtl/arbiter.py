"""One of several requests, in turn."""

from collections.abc import Iterable
from itertools import combinations

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Arbiter"]


class Arbiter(wiring.Component):
    """Grants one of the requests of each cycle: that of whoever was served least recently.

    Whoever keeps asking is served within ``ways`` cycles with ``advance``, and all that keep asking
    take turns. ``grant`` depends on ``requests`` in the same cycle, through an AND and an OR over
    the others: who was served before whom is remembered for each pair, since a chain of priorities
    would be the longest path of whatever uses this.

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
    advance : In(1)
        The grant of this cycle is used, and counts.

    Raises
    ------
    ValueError
        If ``ways`` is out of range.
    """

    def __init__(self, *, ways: int):
        if not isinstance(ways, int) or ways < 1:
            raise ValueError(f"Arbiter ways must be a positive integer, not {ways!r}")
        self._ways = ways
        # Bit (a, b), a < b: a is before b. The proofs look at these.
        self._before = {
            (a, b): Signal(init=1, name=f"before_{a}_{b}") for a, b in combinations(range(ways), 2)
        }
        super().__init__({"requests": In(ways), "grant": Out(ways), "advance": In(1)})

    @property
    def ways(self) -> int:
        return self._ways

    def model(self, cycles: Iterable[tuple[int, bool]]) -> list[int]:
        """The winner of each cycle, or -1; a cycle is ``(requests, advance)``."""
        order, winners = list(range(self._ways)), []
        for requests, advance in cycles:
            winner = next((n for n in order if requests >> n & 1), -1)
            winners.append(winner)
            if advance and winner >= 0:
                order.remove(winner)
                order.append(winner)
        return winners

    def is_before(self, a: int, b: int) -> Value:
        """Whether ``a`` goes before ``b`` if both ask."""
        return self._before[a, b] if a < b else ~self._before[b, a]

    def elaborate(self, platform):
        m = Module()
        for n in range(self._ways):
            others = [self.requests[k] & self.is_before(k, n) for k in range(self._ways) if k != n]
            m.d.comb += self.grant[n].eq(self.requests[n] & ~Cat(others).any())
        with m.If(self.advance):
            for (a, b), before in self._before.items():
                with m.If(self.grant[a]):
                    m.d.sync += before.eq(0)
                with m.Elif(self.grant[b]):
                    m.d.sync += before.eq(1)
        return m
