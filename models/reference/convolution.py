"""Exact integer convolutions through floating point matrix products.

A float64 holds every integer up to 2**53 and a float32 up to 2**24, so a matrix product of integers
is exact, in any order of summation, as long as the sum of the magnitudes of a dot product stays
below that. It then runs at the speed of BLAS.
"""

import numpy as np

__all__ = ["columns", "convolve", "exact_type", "windows"]


def windows(x, kernel, stride, padding, fill=0):
    """View of all windows: (images, channels, rows, columns, kernel rows, kernel columns)."""
    top, bottom, left, right = padding
    if any(padding):
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    return view[:, :, :: stride[0], :: stride[1]]


def exact_type(weight, largest: int):
    """The fastest type in which dot products of ``weight`` (outputs first) are exact.

    ``largest`` is the largest magnitude of an activation.
    """
    magnitude = int(np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(1).max()) * largest
    for kind, limit in ((np.float32, 1 << 24), (np.float64, 1 << 53)):
        if magnitude < limit:
            return kind
    raise OverflowError(f"dot products of magnitude {magnitude} are not exact in float64")


def columns(x, kernel, stride, padding, kind, fill=0):
    """The windows as columns of a matrix, (channels, kernel size, images * positions)."""
    view = windows(x.astype(kind), kernel, stride, padding, fill)
    images, channels, rows, cols = view.shape[:4]
    return view.transpose(1, 4, 5, 0, 2, 3).reshape(
        channels, kernel[0] * kernel[1], images * rows * cols
    )


def convolve(cols, weight, groups: int):
    """Accumulators (images * positions last, outputs first) in int64 of :func:`columns`.

    ``weight`` is OIHW; the type of ``cols`` must be that of :func:`exact_type`.
    """
    channels, taps, positions = cols.shape
    outputs = len(weight)
    matrix = weight.reshape(groups, outputs // groups, -1).astype(cols.dtype)
    if groups == channels == outputs:
        acc = np.einsum("ck,ckp->cp", matrix[:, 0], cols)
    else:
        parts = cols.reshape(groups, channels // groups * taps, positions)
        acc = np.concatenate([w @ x for w, x in zip(matrix, parts, strict=True)])
    return acc.astype(np.int64)
