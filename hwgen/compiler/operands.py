"""What a layer multiplies, and where operands of a mode lie in the words of a buffer."""

from dataclasses import dataclass

import numpy as np

from ..rtl.mac import Placement

__all__ = ["Operands", "packed", "unpacked"]


@dataclass(frozen=True)
class Operands:
    """Widths of what a layer multiplies; ``high_bits`` of the activations are in its base pass.

    ``bipolar``: activations are -1 and 1, one bit of code.
    """

    activations: int
    signed: bool
    bipolar: bool
    weights: int
    high_bits: int | None = None

    def __str__(self) -> str:
        high = "" if self.high_bits is None else f"/{self.high_bits}"
        return f"{self.activations}{high}x{self.weights} bits"


def packed(values: np.ndarray, placement: Placement) -> np.ndarray:
    """Words (…, byte) of the operands (…, lane); bits beyond an operand's width are dropped."""
    if _bytes(placement):
        return values.astype(np.uint8)
    if placement.bipolar:
        values = values > 0
    fields = values.astype(np.int64)[..., None] >> np.arange(placement.width) & 1
    bits = np.zeros((*values.shape, placement.stride), np.uint8)
    wide = placement.copies * placement.width
    bits[..., placement.offset : placement.offset + wide] = np.tile(fields, placement.copies)
    flat = bits.reshape(*values.shape[:-1], placement.lanes * placement.stride)
    return np.packbits(flat, axis=-1, bitorder="little")


def unpacked(words: np.ndarray, placement: Placement, *, signed: bool) -> np.ndarray:
    """The operands (…, lane), int64, of words (…, byte)."""
    if _bytes(placement):
        return words.view(np.int8 if signed else np.uint8).astype(np.int64)
    bits = np.unpackbits(words, axis=-1, bitorder="little")
    bits = bits.reshape(*words.shape[:-1], placement.lanes, placement.stride)
    fields = bits[..., placement.offset : placement.offset + placement.width]
    if placement.bipolar:
        return 2 * fields[..., 0].astype(np.int64) - 1
    worth = 1 << np.arange(placement.width, dtype=np.int64)
    if signed:
        worth[-1] = -worth[-1]
    return fields @ worth


def _bytes(placement: Placement) -> bool:
    """Whether operands are simply bytes."""
    return placement.stride == placement.width == 8
