"""Pieces of work, from which a program is put together."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from .tensors import Region

__all__ = ["Item", "Need"]


@dataclass
class Need:
    """A load of a region of a tensor, or of no tensor at all; perhaps only room is taken."""

    region: Region | None
    load: Callable[[], None]
    words: int = 0


@dataclass
class Item:
    """A piece of work of ``unit``, "array" or "vector": loads, each of which takes at most one
    range of a buffer, then ``compute``.

    ``constants`` load weights and parameters, ``needs`` activations. ``writes`` are the regions
    that ``compute`` stores, and ``frees`` are the owners whose ranges nobody needs after it. The
    rest is for estimates.
    """

    layer: str
    unit: str
    constants: list[Callable[[], None]]
    needs: list[Need]
    compute: Callable[[], None]
    writes: list[Region] = field(default_factory=list)
    frees: list[object] = field(default_factory=list)
    joins: bool = False  # stays behind the item before
    begins: bool = False  # takes the other accumulator bank
    gate: bool = False  # writes into both banks
    weights: tuple[Hashable, int] | None = None  # name and bytes
    cycles: float = 0.0  # of its unit
    finished: float = 0.0  # of the drain, from the bank that it does not compute in
    drained: float = 0.0  # of the drain, from its own
    stores: int = 0  # words
