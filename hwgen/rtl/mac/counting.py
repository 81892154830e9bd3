"""How many of many bits are one."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .adder_tree import LEVELS_PER_STAGE

__all__ = ["OnesCounter", "count_few"]

QUAD = 4
"""Bits that are counted in gates: two look-up tables of four inputs give a pair its count."""


def count_few(bits: Sequence[Value]) -> Value:
    """Number of ones among up to four bits, without carry chains."""
    if len(bits) == 1:
        return bits[0]
    if len(bits) == 2:
        return Cat(bits[0] ^ bits[1], bits[0] & bits[1])
    low, high = (count_few(bits[:2]), count_few(bits[2:]))
    carry = low[0] & high[0]
    if len(high) == 1:
        return Cat(low[0] ^ high[0], low[1] ^ carry)
    twos = low[1] ^ high[1]
    return Cat(low[0] ^ high[0], twos ^ carry, low[1] & high[1] | twos & carry)


class OnesCounter(wiring.Component):
    """Number of ones of a word, ``latency`` cycles later.

    One count a cycle, no backpressure. Fours are counted in gates, their counts added in a tree.

    Parameters
    ----------
    bits : int
        Length of the word, a power of two.

    Members
    -------
    i : In(bits)
        The word.
    o : Out(bit_length(bits))
        Its ones.
    """

    def __init__(self, *, bits: int):
        if not isinstance(bits, int) or bits < 1 or bits & (bits - 1):
            raise ValueError(f"bits must be a power of two, not {bits!r}")
        self._bits = bits
        super().__init__({"i": In(bits), "o": Out(bits.bit_length())})

    @property
    def latency(self) -> int:
        """Cycles from ``i`` to ``o``."""
        return self.latency_of(self._bits)

    @staticmethod
    def latency_of(bits: int) -> int:
        """Latency of a counter of so many bits."""
        levels = max(0, (bits // QUAD).bit_length() - 1)
        return 1 + -(-levels // LEVELS_PER_STAGE)

    def elaborate(self, platform):
        m = Module()
        counts = []
        for n in range(0, self._bits, QUAD):
            few = [self.i[k] for k in range(n, min(n + QUAD, self._bits))]
            count = Signal(len(few).bit_length(), name=f"few{n // QUAD}", reset_less=True)
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
