"""A histogram of magnitudes that grows with what it sees."""

import numpy as np

__all__ = ["Histogram"]


class Histogram:
    """Counts of |x| in equal bins from 0; the range doubles, and bins merge in pairs, as larger
    values come.

    Zeros are counted apart: after a ReLU they are half of everything and say nothing about where to
    clip.

    Members
    -------
    counts, width:
        Non-zero magnitudes a bin, and the bin's width: bin i holds
        ``i * width < |x| <= (i + 1) * width``.
    zeros, minimum, maximum:
        Number of exact zeros; the extreme values themselves, with their sign.
    """

    def __init__(self, bins: int = 4096):
        if bins < 2 or bins % 2:
            raise ValueError(f"bins must be even and at least 2, not {bins!r}")
        self.counts = np.zeros(bins, dtype=np.int64)
        self.width = 0.0
        self.zeros = 0
        self.minimum, self.maximum = np.inf, -np.inf
        self._sum = self._squares = 0.0

    @property
    def largest(self) -> float:
        """The largest magnitude; 0 if nothing but zeros came."""
        return float(max(-self.minimum, self.maximum, 0.0)) if self.seen else 0.0

    @property
    def seen(self) -> int:
        """Values observed, zeros included."""
        return int(self.counts.sum()) + self.zeros

    @property
    def mean(self) -> float:
        """Mean magnitude of the values that are not zero."""
        return self._sum / max(int(self.counts.sum()), 1)

    @property
    def deviation(self) -> float:
        """Root of the mean square of the values that are not zero."""
        return float(np.sqrt(self._squares / max(int(self.counts.sum()), 1)))

    @property
    def centres(self) -> np.ndarray:
        """The middle of each bin."""
        return (np.arange(len(self.counts)) + 0.5) * self.width

    def observe(self, values) -> "Histogram":
        """Count an array of any shape; ValueError if it holds NaN or infinity."""
        values = np.asarray(values, dtype=np.float64).ravel()
        if not values.size:
            return self
        low, high = float(values.min()), float(values.max())
        if not np.isfinite([low, high]).all():
            raise ValueError("values to calibrate with hold NaN or infinity")
        self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)
        magnitudes = np.abs(values[values != 0])
        self.zeros += values.size - magnitudes.size
        if magnitudes.size:
            self._grow(float(magnitudes.max()))
            index = np.ceil(magnitudes / self.width).astype(np.int64) - 1
            self.counts += np.bincount(
                index.clip(0, len(self.counts) - 1), minlength=len(self.counts)
            )
            self._sum += float(magnitudes.sum())
            self._squares += float((magnitudes**2).sum())
        return self

    def _grow(self, largest: float) -> None:
        if self.width == 0:
            self.width = largest / len(self.counts)
        while largest > self.width * len(self.counts) * (1 + 1e-12):
            merged = self.counts.reshape(-1, 2).sum(1)
            self.counts = np.concatenate([merged, np.zeros_like(merged)])
            self.width *= 2
