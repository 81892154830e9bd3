"""Layers whose sums are not quite those of the network.

An array that multiplies codes in the place of numbers, or numbers in the place of codes, makes sums
of which ``scale * sum + offset`` is ``share`` times the true one; `offset` depends on the output
channel only. M, B, S and the thresholds make up for it, exactly.
"""

from dataclasses import dataclass, replace

import numpy as np

from .layer import Convolution, Requantization

__all__ = ["Sums", "of_codes", "with_sums"]

LEAST, MOST = -(1 << 31), (1 << 31) - 1


@dataclass(frozen=True)
class Sums:
    """``share * true == scale * sum + offset``; share is a power of two, scale 1 or 2."""

    scale: int
    share: int
    offset: np.ndarray

    def requantization(self, q: Requantization) -> Requantization:
        """Gives of the sums what ``q`` gives of the true ones.

        Raises
        ------
        ValueError
            If there is no such requantization.
        """
        bits = self.share.bit_length() - 1
        multiplier = q.multiplier
        bias = q.multiplier * self.offset + (q.bias << bits)
        shift = q.shift + bits
        residual = q.residual_multiplier
        if residual is not None:
            residual = residual << bits
            if np.abs(residual).max() > MOST:
                raise ValueError("the multiplier of its residual is too large")
        if self.scale == 2:
            if residual is not None:
                raise ValueError("it adds a residual")
            # Halves of everything; what is behind the point moves no result. B carries it.
            halves = shift > 1
            rounding = np.left_shift(1, np.maximum(shift, 1) - 1)
            half = (bias + rounding >> 1) - (rounding >> 1)
            bias = np.where(halves, half, bias)
            multiplier = np.where(halves, multiplier, 2 * multiplier)
            shift = np.where(halves, shift - 1, shift)
        return replace(
            q, multiplier=multiplier, bias=bias, shift=shift, residual_multiplier=residual
        )

    def threshold(self, threshold: np.ndarray) -> np.ndarray:
        """A sum is above it where the true one is above ``threshold``."""
        return np.clip((threshold * self.share - self.offset) // self.scale, LEAST, MOST)


def with_sums(layer: Convolution, base: Sums, full: Sums) -> Convolution:
    """The layer, requantized from such sums: ``base`` of its base pass, ``full`` of both.

    Raises
    ------
    ValueError
        If that is not possible.
    """
    gate = layer.gate
    if gate is not None:
        gate = replace(
            gate,
            threshold=base.threshold(gate.threshold),
            requantization=base.requantization(gate.requantization),
        )
    return replace(layer, requantization=full.requantization(layer.requantization), gate=gate)


def of_codes(layer: Convolution) -> Convolution:
    """The layer whose activations, -1 and 1, are multiplied as 0 and 1.

    Where a residual is added, weights are doubled: its multiplier cannot be halved.
    """

    def offset(parts) -> np.ndarray:
        return -sum(
            (part.weights.sum((2, 3), dtype=np.int64) * part.chosen).sum(1) for part in parts
        )

    base = offset(part for part in layer.products if not part.how.conditional)
    full = offset(layer.products)
    if layer.residual is None:
        return with_sums(layer, Sums(2, 1, base), Sums(2, 1, full))
    parts = tuple(replace(part, weights=2 * part.weights) for part in layer.products)
    return with_sums(replace(layer, parts=parts), Sums(1, 1, base), Sums(1, 1, full))
