"""Rounding half up, the one rounding of the project: floor(x + 1/2), ties towards plus infinity.

``torch.round``, ``numpy.rint`` and Python's ``round`` send ties to the even neighbour; the hardware
adds half and shifts right. Everything here that rounds calls these functions.
"""

import math
from fractions import Fraction

import numpy as np
import torch

__all__ = ["round_half_up", "shift_round_half_up"]


def round_half_up(x):
    """floor(x + 1/2) of a tensor, an array, a float or a Fraction; floats come back as (integral)
    floats of their kind.

    The sum x + 1/2 is never formed in floating point: for the largest number below 1/2 it would
    round to 1. The distance to the floor is exact wherever it decides (|x| < 2^23 in float32). A
    Python float or Fraction gives an ``int``.
    """
    if isinstance(x, torch.Tensor):
        if not x.is_floating_point():
            return x
        low = torch.floor(x)
        return low + (x - low >= 0.5).to(x.dtype)
    if isinstance(x, np.ndarray | np.floating):
        low = np.floor(x)
        return low + (x - low >= 0.5).astype(low.dtype)
    if isinstance(x, float):
        low = math.floor(x)
        return low + (x - low >= 0.5)
    return math.floor(Fraction(x) + Fraction(1, 2))


def shift_round_half_up(acc, shift):
    """(acc + 2^(shift-1)) >> shift with an arithmetic shift: ``acc / 2^shift`` rounded half up, in
    integers.

    ``acc`` and ``shift`` are ints, integer arrays or integer tensors (broadcast); shift ≥ 1. The
    caller picks an integer width that holds ``acc + 2^(shift-1)``.
    """
    one = torch.ones_like(shift) if isinstance(shift, torch.Tensor) else 1
    return (acc + (one << (shift - 1))) >> shift
