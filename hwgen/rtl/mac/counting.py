"""How many of many bits are one."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .adder_tree import LEVELS_PER_STAGE

__all__ = ["OnesCounter", "count_few"]

FEW = 8
"""Bits that are counted in gates alone, if nothing is said."""


def count_few(bits: Sequence[Value]) -> Value:
    """Number of ones, by full adders and without carry chains."""
    column, result = list(bits), []
    while column:
        carries = []
        while len(column) > 1:
            a, b, c = (*column[:3], None)[:3]
            del column[:3]
            half = a ^ b
            column.append(half if c is None else half ^ c)
            carries.append(a & b if c is None else a & b | half & c)
        result += column
        column = carries
    return Cat(*result)


class OnesCounter(wiring.Component):
    """Number of ones of a word, ``latency`` cycles later.

    One count a cycle, no backpressure. Parts are counted in gates, their counts added in a tree.

    Parameters
    ----------
    bits : int
        Length of the word, a power of two.
    few : int
        Bits that are counted in gates alone, likewise. More of them take fewer gates and registers,
        and longer.

    Members
    -------
    i : In(bits)
        The word.
    o : Out(bit_length(bits))
        Its ones.
    """

    def __init__(self, *, bits: int, few: int = FEW):
        if not isinstance(bits, int) or bits < 1 or bits & (bits - 1):
            raise ValueError(f"bits must be a power of two, not {bits!r}")
        self._bits = bits
        self._few = few
        super().__init__({"i": In(bits), "o": Out(bits.bit_length())})

    @property
    def latency(self) -> int:
        """Cycles from ``i`` to ``o``."""
        return self.latency_of(self._bits, self._few)

    @staticmethod
    def latency_of(bits: int, few: int = FEW) -> int:
        """Latency of a counter of so many bits."""
        levels = max(0, (bits // few).bit_length() - 1)
        return 1 + -(-levels // LEVELS_PER_STAGE)

    def elaborate(self, platform):
        m = Module()
        counts = []
        for n in range(0, self._bits, self._few):
            few = [self.i[k] for k in range(n, min(n + self._few, self._bits))]
            count = Signal(len(few).bit_length(), name=f"few{n // self._few}", reset_less=True)
            m.d.sync += count.eq(count_few(few))
            counts.append(count)
        level = 0
        while len(counts) > 1:
            level += 1
            registered = level % LEVELS_PER_STAGE == 0 or len(counts) == 2
            sums = []
            for n, (a, b) in enumerate(zip(counts[::2], counts[1::2], strict=True)):
                total = Signal(len(a) + 1, name=f"sum{level}_{n}", reset_less=True)
                m.d["sync" if registered else "comb"] += total.eq(a + b)
                sums.append(total)
            counts = sums
        m.d.comb += self.o.eq(counts[0])
        return m
