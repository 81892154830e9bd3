"""Output positions of a tile in one direction, and the input positions that they see."""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Span", "kinds_of_spans", "spans"]


@dataclass(frozen=True)
class Span:
    """Output positions first … last-1 of a tile in one direction, and the input they see."""

    first: int
    last: int
    low: int  # first input row (column) that exists
    high: int
    pad: int  # zeros before it

    @property
    def size(self) -> int:
        """Output positions."""
        return self.last - self.first

    @property
    def seen(self) -> int:
        """Input positions."""
        return self.high - self.low


def spans(size: int, step: int, kernel: int, stride: int, pad: int, available: int) -> list[Span]:
    """Cut ``size`` output positions into spans of ``step``."""
    result = []
    for first in range(0, size, step):
        last = min(first + step, size)
        start = first * stride - pad
        end = (last - 1) * stride - pad + kernel
        low, high = min(max(start, 0), available - 1), max(min(end, available), 1)
        result.append(Span(first, last, low, max(high, low + 1), low - start))
    return result


@lru_cache(1 << 12)
def kinds_of_spans(*cut: int) -> tuple[tuple[Span, int], ...]:
    """A span of each size, with the number of spans like it; ``cut`` as for :func:`spans`."""
    parts = spans(*cut)
    found = {(span.size, span.seen): span for span in parts}
    counts = Counter((span.size, span.seen) for span in parts)
    return tuple((found[key], count) for key, count in counts.items())
