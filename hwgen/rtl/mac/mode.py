"""Widths of operands, and where operands of a width lie in a vector."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.utils import ceil_log2

__all__ = ["Mode", "Placement", "power_of_two"]


def power_of_two(bits: int) -> int:
    """The next power of two that is not less."""
    return 1 << ceil_log2(bits)


@dataclass(frozen=True, order=True)
class Mode:
    """Bits of an activation and of a weight; ``8x4`` in text."""

    activations: int
    weights: int

    def __post_init__(self):
        for what in ("activations", "weights"):
            bits = getattr(self, what)
            if not isinstance(bits, int) or not 1 <= bits <= 16:
                raise ValueError(f"{what} of a mode must have 1 to 16 bits, not {bits!r}")

    def __str__(self) -> str:
        return f"{self.activations}x{self.weights}"

    @classmethod
    def parse(cls, text: str) -> "Mode":
        """The mode of a text as ``8x4``; a ValueError if it is not one."""
        match = re.fullmatch(r"([0-9]+)x([0-9]+)", text)
        if match is None:
            raise ValueError(f"a mode must be like 8x4 (activation x weight bits), not {text!r}")
        return cls(int(match[1]), int(match[2]))

    @property
    def room(self) -> int:
        """Bits of the wider operand, rounded up to a power of two."""
        return power_of_two(max(self.activations, self.weights))


@dataclass(frozen=True)
class Placement:
    """Where the operands of a vector lie: operand n begins at bit ``n * stride + offset``.

    Attributes
    ----------
    lanes : int
        Operands of a vector.
    stride : int
        Bits from one to the next.
    width : int
        Bits of an operand; narrower ones are extended.
    offset : int
        Zeros below an operand.
    copies : int
        How often it stands there, side by side.
    bipolar : bool
        An operand is one bit, which is 1 for 1 and 0 for -1.
    """

    lanes: int
    stride: int
    width: int
    offset: int = 0
    copies: int = 1
    bipolar: bool = False

    def pack(self, values: Sequence[int]) -> int:
        """The vector of these numbers, signed or not; a ValueError if one does not fit."""
        if len(values) != self.lanes:
            raise ValueError(f"values must be {self.lanes}, not {len(values)}")
        word = 0
        for lane, value in enumerate(values):
            if self.bipolar:
                if value not in (-1, 1):
                    raise ValueError(f"value {lane} must be 1 or -1, not {value}")
                value = (value + 1) // 2
            elif not -(1 << self.width - 1) <= value < 1 << self.width:
                raise ValueError(f"value {lane} must fit {self.width} bits, not {value}")
            for copy in range(self.copies):
                position = lane * self.stride + self.offset + copy * self.width
                word |= (value & (1 << self.width) - 1) << position
        return word

    def unpack(self, word: int, signed: bool) -> list[int]:
        """The numbers of a vector."""
        mask, top = (1 << self.width) - 1, 1 << self.width - 1
        fields = [word >> lane * self.stride + self.offset & mask for lane in range(self.lanes)]
        if self.bipolar:
            return [2 * field - 1 for field in fields]
        return [(field ^ top) - top if signed else field for field in fields]
