"""Activation tensors in memory: planes of as many channels as a word holds, plane by plane, each in
raster order.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["Region", "Slice", "Tensor"]


@dataclass(frozen=True)
class Slice:
    """Bits ``shift`` … of the activations, so many as ``bits``, for a mode in which an operand has
    ``room`` bits of a word; it stands there ``copies`` times, side by side.
    """

    shift: int
    bits: int
    room: int
    copies: int = 1

    def pack(self, values: np.ndarray) -> np.ndarray:
        """Words (…, byte) of activations (…, lane)."""
        width = self.room // self.copies
        field = values.astype(np.int64) >> self.shift & (1 << self.bits) - 1
        bits = (field[..., None] >> np.arange(width) & 1).astype(np.uint8)
        bits = np.tile(bits, self.copies)
        return np.packbits(
            bits.reshape(*values.shape[:-1], values.shape[-1] * self.room),
            axis=-1,
            bitorder="little",
        )


@dataclass(frozen=True)
class Tensor:
    """Where an activation tensor lies: byte ``offset`` from base register ``base``.

    A word has ``lanes`` channels: R, a byte each; or, if there are ``slices``, those of a mode, and
    the planes of each slice follow those of the slice before. ``bipolar`` activations are -1 and 1,
    which lie there as 0 and 1. A plane holds the rows of all ``images`` of a batch, one image below
    the other, with ``gap`` rows before, between and behind them. ``first_plane`` is the place of
    plane 0 in the concatenation that it is a part of.

    The compiler writes no channel beyond the last; what is in its lane is left over from others.
    """

    base: int
    offset: int
    channels: int
    rows: int
    columns: int
    lanes: int
    signed: bool = False
    images: int = 1
    gap: int = 0
    first_plane: int = 0
    bipolar: bool = False
    slices: tuple[Slice, ...] = ()

    @property
    def word(self) -> int:
        """Bytes of a word, R."""
        return self.lanes * self.slices[0].room // 8 if self.slices else self.lanes

    @property
    def slice_planes(self) -> int:
        """Planes of a slice, or of all there is."""
        return -(-self.channels // self.lanes)

    @property
    def places(self) -> int:
        """Lanes of all planes of a slice."""
        return self.slice_planes * self.lanes

    @property
    def planes(self) -> int:
        """Planes of all slices."""
        return self.slice_planes * max(1, len(self.slices))

    @property
    def plane_rows(self) -> int:
        """Rows of a plane, all images and gaps."""
        return self.gap + self.images * (self.rows + self.gap)

    @property
    def plane_words(self) -> int:
        """Words of a plane."""
        return self.plane_rows * self.columns

    @property
    def bytes(self) -> int:
        """Size in memory."""
        return self.planes * self.plane_words * self.word

    @property
    def root(self) -> str:
        """Names the memory that it shares with the other parts of its concatenation."""
        start = self.offset - self.first_plane * self.plane_words * self.word
        return f"memory{self.base}+{start}"

    def first_row(self, image: int) -> int:
        """Row of a plane in which an image begins."""
        return self.gap + image * (self.rows + self.gap)

    def pack(self, values: np.ndarray) -> bytes:
        """Integers of shape (channels, rows, columns) as they lie in memory; for a batch (images,
        channels, rows, columns).
        """
        shape = (self.channels, self.rows, self.columns)
        if self.images > 1:
            shape = (self.images, *shape)
        if values.shape != shape:
            raise ValueError(f"tensor must be {shape}, not {values.shape}")
        padded = np.zeros((self.places, self.plane_rows, self.columns), np.uint8)
        images = values.reshape(self.images, self.channels, self.rows, self.columns)
        stored = (images > 0) if self.bipolar else images
        for number, image in enumerate(stored.astype(np.int64) & 0xFF):
            first = self.first_row(number)
            padded[: self.channels, first : first + self.rows] = image
        planes = padded.reshape(-1, self.lanes, self.plane_rows, self.columns)
        words = planes.transpose(0, 2, 3, 1)
        if not self.slices:
            return words.tobytes()
        return b"".join(part.pack(words).tobytes() for part in self.slices)

    def unpack(self, data: bytes) -> np.ndarray:
        """Integers of shape (channels, rows, columns) from memory; for a batch (images, channels,
        rows, columns). Only of bytes, not of slices.
        """
        dtype = np.int8 if self.signed else np.uint8
        words = np.frombuffer(data, dtype, count=self.bytes).reshape(
            self.planes, self.plane_rows, self.columns, self.lanes
        )
        values = words.transpose(0, 3, 1, 2).reshape(-1, self.plane_rows, self.columns)
        values = values[: self.channels].astype(np.int64)
        if self.bipolar:
            values = 2 * values - 1
        firsts = [self.first_row(number) for number in range(self.images)]
        images = np.stack([values[:, first : first + self.rows] for first in firsts])
        return images if self.images > 1 else images[0]


@dataclass(frozen=True)
class Region:
    """Planes and rows (of planes, over all images) of a tensor."""

    tensor: Tensor
    planes: range
    rows: range

    @property
    def own_planes(self) -> range:
        """The planes, counted in the memory that the tensor lies in."""
        first = self.tensor.first_plane
        return range(self.planes.start + first, self.planes.stop + first)
