"""Output positions of a tile in one direction, and the input positions that they see."""

from dataclasses import dataclass

__all__ = ["Span", "spans"]


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
