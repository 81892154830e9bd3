"""A pipelined sum of many terms."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["AdderTree"]

LEVELS_PER_STAGE = 2
"""Adders between two registers: two of 20 bits take about 4 ns in an ECP5."""


class AdderTree(wiring.Component):
    """Sum of ``terms`` signed numbers, ``latency`` cycles later, in a balanced tree.

    One sum a cycle, no backpressure, exact: the result is ``ceil(log2(terms))`` bits wider than a
    term.

    Parameters
    ----------
    terms : int
        A power of two, at least 2.
    width : int
        Bits of a term.

    Members
    -------
    i : In(terms * width)
        Terms, the first in the low bits.
    o : Out(signed)
        Their sum.
    """

    def __init__(self, *, terms: int, width: int):
        if terms < 2 or terms & (terms - 1):
            raise ValueError(f"terms must be a power of two of at least 2, not {terms!r}")
        self._terms = terms
        self._width = width
        super().__init__({"i": In(terms * width), "o": Out(signed(width + ceil_log2(terms)))})

    @property
    def latency(self) -> int:
        """Cycles from ``i`` to ``o``."""
        return self.latency_of(self._terms)

    @staticmethod
    def latency_of(terms: int) -> int:
        """Latency of a tree of so many terms."""
        return -(-ceil_log2(terms) // LEVELS_PER_STAGE)

    def elaborate(self, platform):
        m = Module()
        level, width = 0, self._width
        values = [self.i.word_select(n, width).as_signed() for n in range(self._terms)]
        while len(values) > 1:
            level, width = level + 1, width + 1
            registered = level % LEVELS_PER_STAGE == 0 or len(values) == 2
            sums = []
            for n, (a, b) in enumerate(zip(values[::2], values[1::2], strict=True)):
                # Kept, so that no synthesizer makes one sum of two levels: an FPGA has no place for
                # the full adders of that, which are twice the LUTs of two carry chains.
                attrs = {} if registered else {"keep": 1}
                total = Signal(signed(width), name=f"sum{level}_{n}", reset_less=True, attrs=attrs)
                m.d["sync" if registered else "comb"] += total.eq(a + b)
                sums.append(total)
            values = sums
        m.d.comb += self.o.eq(values[0])
        return m
