"""Who may use which words of the buffers on chip."""

from ..config import Config
from ..errors import UserError

__all__ = ["Buffers", "Ring"]


class Ring:
    """Words handed out one range after the other, wrapping before the end; ranges never wrap inside.

    Ranges of at most a third of the ring do not overlap the two before them when only `take` is used, and not the one
    before when `place` is: what is loaded for the next step leaves alone what the present step reads.
    """

    def __init__(self, size: int, what: str):
        self._size = size
        self._next = 0
        self._what = what
        self._placed: dict[int, tuple[int, int]] = {}  # key -> (first word, words)
        self._kept = (0, 0)  # the range that `place` gave last

    def take(self, words: int) -> int:
        """First word of a new range; what lay there is forgotten."""
        if words > self._size:
            raise UserError(f"{self._what} holds {self._size} words, {words} are needed at once")
        low, kept = self._kept
        for _ in range(2):  # at most once around the end and once around the kept range
            if self._next + words > self._size:
                self._next = 0
            if kept and self._next < low + kept and low < self._next + words:
                self._next = low + kept
        if self._next + words > self._size:
            raise UserError(
                f"{self._what} holds {self._size} words, too few for {words} and {kept} at once"
            )
        at, self._next = self._next, self._next + words
        overlapping = [
            k for k, (low, n) in self._placed.items() if low < at + words and at < low + n
        ]
        for key in overlapping:
            del self._placed[key]
        return at

    def place(self, key: int, words: int) -> tuple[int, bool]:
        """Range of the constants ``key``, and whether they have to be loaded or lie there still."""
        if key in self._placed and self._placed[key][1] == words:
            self._kept = self._placed[key]
            return self._placed[key][0], False
        at = self.take(words)
        self._placed[key] = self._kept = (at, words)
        return at, True


class Buffers:
    """The buffers of a configuration, as the compiler hands them out."""

    def __init__(self, config: Config):
        self._config = config
        words = config.array.clusters * config.memory.activation_words
        self.activations = Ring(words, "the activation buffer (clusters * memory.activation_words)")
        self.weights = Ring(config.memory.weight_words, "the weight buffer (memory.weight_words)")
        self.parameters = Ring(
            config.memory.parameter_words, "the parameter memory (memory.parameter_words)"
        )
        # Three tiles' worth: one computes, one loads, and the ring may have to skip to its start.
        self.tile_words = words // 3
        self.segment_words = config.memory.weight_words // 3
        self.bank = 1

    def next_bank(self) -> None:
        """Compute the next sums in the other accumulator bank."""
        self.bank = 1 - self.bank

    def chunk_words(self, slots: int) -> int:
        """Weight words of a chunk."""
        per_group = self._config.array.group * slots
        return self._config.groups * -(-per_group // self._config.memory.weight_slots)
