"""Activation tensors in memory: planes of R channels, plane by plane, each in raster order, R bytes
a word.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["Region", "Tensor"]


@dataclass(frozen=True)
class Tensor:
    """Where an activation tensor lies: byte ``offset`` from base register ``base``.

    ``lanes`` is R. Channels beyond the last are zero in the last plane. A plane holds the rows of
    all ``images`` of a batch, one image below the other, with ``gap`` rows before, between and
    behind them. ``first_plane`` is the place of plane 0 in the concatenation that it is a part of.
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

    @property
    def planes(self) -> int:
        """Planes of R channels."""
        return -(-self.channels // self.lanes)

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
        return self.planes * self.plane_words * self.lanes

    @property
    def root(self) -> str:
        """Names the memory that it shares with the other parts of its concatenation."""
        start = self.offset - self.first_plane * self.plane_words * self.lanes
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
        padded = np.zeros((self.planes * self.lanes, self.plane_rows, self.columns), np.uint8)
        images = values.reshape(self.images, self.channels, self.rows, self.columns)
        for number, image in enumerate(images.astype(np.int64) & 0xFF):
            first = self.first_row(number)
            padded[: self.channels, first : first + self.rows] = image
        planes = padded.reshape(self.planes, self.lanes, self.plane_rows, self.columns)
        return planes.transpose(0, 2, 3, 1).tobytes()

    def unpack(self, data: bytes) -> np.ndarray:
        """Integers of shape (channels, rows, columns) from memory; for a batch (images, channels,
        rows, columns).
        """
        dtype = np.int8 if self.signed else np.uint8
        words = np.frombuffer(data, dtype, count=self.bytes).reshape(
            self.planes, self.plane_rows, self.columns, self.lanes
        )
        values = words.transpose(0, 3, 1, 2).reshape(-1, self.plane_rows, self.columns)
        values = values[: self.channels].astype(np.int64)
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
