"""Passes of a block with the constants that they read."""

from dataclasses import dataclass

from .segments import Taps
from .weights import Spread

__all__ = ["Constants", "Segment"]


@dataclass(frozen=True)
class Constants:
    """Words for the weight buffer, and where they lie among the constants."""

    words: int
    offset: int
    size: int  # bytes
    spread: Spread | None = None


@dataclass(frozen=True)
class Segment:
    """A pass of a block, with the constants that it reads one after the other."""

    taps: Taps
    constants: tuple[Constants, ...]
    thresholds: bool
    gate: bool

    @property
    def words(self) -> int:
        """Words of the weight buffer."""
        return sum(part.words for part in self.constants)

    @property
    def key(self) -> tuple[tuple[int, Spread | None], ...]:
        """Names what lies in the weight buffer then: equal bytes may be spread in two ways."""
        return tuple((part.offset, part.spread) for part in self.constants)
