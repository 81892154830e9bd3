"""Activation tensors in memory: planes of R channels, plane by plane, each in raster order, R bytes
a word.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["Tensor"]


@dataclass(frozen=True)
class Tensor:
    """Where an activation tensor lies: byte ``offset`` from base register ``base``.

    ``lanes`` is R. Channels beyond the last are zero in the last plane.
    """

    base: int
    offset: int
    channels: int
    rows: int
    columns: int
    lanes: int
    signed: bool = False

    @property
    def planes(self) -> int:
        """Planes of R channels."""
        return -(-self.channels // self.lanes)

    @property
    def plane_words(self) -> int:
        """Words of a plane."""
        return self.rows * self.columns

    @property
    def bytes(self) -> int:
        """Size in memory."""
        return self.planes * self.plane_words * self.lanes

    def pack(self, values: np.ndarray) -> bytes:
        """Integers of shape (channels, rows, columns) as they lie in memory."""
        if values.shape != (self.channels, self.rows, self.columns):
            raise ValueError(
                f"tensor must be {(self.channels, self.rows, self.columns)}, not {values.shape}"
            )
        padded = np.zeros((self.planes * self.lanes, self.rows, self.columns), np.uint8)
        padded[: self.channels] = values.astype(np.int64) & 0xFF
        planes = padded.reshape(self.planes, self.lanes, self.rows, self.columns)
        return planes.transpose(0, 2, 3, 1).tobytes()

    def unpack(self, data: bytes) -> np.ndarray:
        """Integers of shape (channels, rows, columns) from memory."""
        dtype = np.int8 if self.signed else np.uint8
        words = np.frombuffer(data, dtype, count=self.bytes).reshape(
            self.planes, self.rows, self.columns, self.lanes
        )
        values = words.transpose(0, 3, 1, 2).reshape(-1, self.rows, self.columns)
        return values[: self.channels].astype(np.int64)
