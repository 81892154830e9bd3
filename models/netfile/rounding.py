"""Rounding and saturation of the contract, as named integer functions on numpy arrays.

Rounding is half up everywhere: ``floor(x + 1/2)``. (``numpy.round`` and ``torch.round`` round half
to even.)
"""

import numpy as np

__all__ = ["clamp", "requantize", "round_half_up", "shift_right_half_up"]


def round_half_up(x):
    """``floor(x + 1/2)`` of real numbers, as int64."""
    return np.floor(np.asarray(x, dtype=np.float64) + 0.5).astype(np.int64)


def shift_right_half_up(value, shift):
    """``value / 2**shift`` rounded half up, for integers; ``shift`` is at least 1."""
    value, shift = np.asarray(value, dtype=np.int64), np.asarray(shift, dtype=np.int64)
    return (value + (np.int64(1) << (shift - 1))) >> shift


def clamp(value, lo, hi):
    """The nearest integer to ``value`` in ``lo … hi``."""
    return np.clip(value, lo, hi)


def requantize(acc, M, B, S, lo, hi, *, b=None, Mb=None):
    """``clamp((acc * M + b * Mb + B + (1 << (S - 1))) >> S, lo, hi)`` in int64, broadcasting like
    numpy.
    """
    total = np.asarray(acc, dtype=np.int64) * np.asarray(M, dtype=np.int64) + np.asarray(
        B, dtype=np.int64
    )
    if b is not None:
        total = total + np.asarray(b, dtype=np.int64) * np.asarray(Mb, dtype=np.int64)
    return clamp(shift_right_half_up(total, S), lo, hi)
