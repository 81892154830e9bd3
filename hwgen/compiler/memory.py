"""Who may use which words of the buffers on chip."""

from collections.abc import Hashable

from ..config import Config
from ..errors import UserError

__all__ = ["Buffers", "Full", "NoRoom", "Ring"]


class Full(Exception):
    """No room beside the ranges that are still needed; nothing has changed. ``field``: the
    configuration's that gives more.
    """

    def __init__(self, field: str):
        super().__init__(field)
        self.field = field


class NoRoom(UserError):
    """A step does not fit into a buffer."""


class Ring:
    """Words of a buffer, handed out one range after the other, never wrapping inside a range.

    A range belongs to an owner and is not given to anyone else until the owner is released.
    Constants that were placed lie there until something else is put over them, and are found again.
    Ranges go around the buffer, so that what was placed stays long; or, if ``tight``, into the
    smallest hole, so that ranges of few sizes do not break the room to pieces, and those from the
    end stay apart from the others.
    """

    def __init__(self, size: int, field: str, *, tight: bool = False):
        self.size = size
        self._field = field
        self._tight = tight
        self._next = 0
        self._placed: dict[Hashable, tuple[int, int]] = {}  # key -> (first word, words)
        self._owned: list[tuple[object, int, int]] = []  # (owner, first word, words)

    def take(self, words: int, owner: object, *, end: bool = False) -> int:
        """First word of a new range for ``owner``, the last one if ``end``; what lay there is
        forgotten.

        Raises
        ------
        Full
            If there is no such range now.
        """
        at = self._free(words, end)
        self._next = at + words
        self._owned.append((owner, at, words))
        for key, (low, count) in list(self._placed.items()):
            if low < at + words and at < low + count:
                del self._placed[key]
        return at

    def place(self, key: Hashable, words: int, owner: object) -> tuple[int, bool]:
        """Range of the constants ``key`` for ``owner``, and whether they have to be loaded."""
        if key in self._placed and self._placed[key][1] == words:
            at = self._placed[key][0]
            self._owned.append((owner, at, words))
            return at, False
        at = self.take(words, owner)
        self._placed[key] = (at, words)
        return at, True

    def release(self, owner: object) -> None:
        """Give back all ranges of ``owner``."""
        self._owned = [entry for entry in self._owned if entry[0] is not owner]

    def _free(self, words: int, at_end: bool) -> int:
        """First word of a free range."""
        holes, end = [], 0
        for _, low, count in sorted(self._owned, key=lambda entry: entry[1]):
            holes.append((end, low))
            end = max(end, low + count)
        holes.append((end, self.size))
        if at_end or self._tight:
            fitting = [(low, high) for low, high in holes if high - low >= words]
            if not fitting:
                raise Full(self._field)
            if at_end:
                return fitting[-1][1] - words
            return min(fitting, key=lambda hole: hole[1] - hole[0])[0]
        starts = [max(low, self._next) for low, _ in holes], [low for low, _ in holes]
        for begins in starts:
            for at, (_, high) in zip(begins, holes, strict=True):
                if at + words <= high:
                    return at
        raise Full(self._field)


class Buffers:
    """The buffers of a configuration, as the compiler hands them out."""

    def __init__(self, config: Config):
        self._config = config
        words = config.array.clusters * config.memory.activation_words
        self.activations = Ring(words, "memory.activation_words", tight=True)
        self.weights = Ring(config.memory.weight_words, "memory.weight_words")
        self.parameters = Ring(config.memory.parameter_words, "memory.parameter_words")
        # The vector unit works beside the array, on its own tiles.
        self.vector_words = words // 5
        # Many small segments: the weights of a conditional pass are wanted faster than they come,
        # and what was loaded during the base pass must make up for it.
        self.segment_words = config.memory.weight_words // 7
        self.bank = 1

    def release(self, owner: object) -> None:
        """Give back all ranges of ``owner``."""
        for ring in (self.activations, self.weights, self.parameters):
            ring.release(owner)

    def next_bank(self) -> None:
        """Compute the next sums in the other accumulator bank."""
        self.bank = 1 - self.bank

    def chunk_words(self, slots: int) -> int:
        """Weight words of a chunk."""
        return -(-self._config.array.group * slots // self._config.memory.weight_slots)
