"""The arithmetic of the contract as integer functions: one definition for RTL benches, models and
the compiler.

All functions take Python integers or numpy int64 arrays and give the same.
"""

import numpy as np

__all__ = ["clamp", "requantize", "wrap32"]


def clamp(x, low, high):
    """``x`` held within [low, high]."""
    return np.minimum(np.maximum(x, low), high)


def requantize(acc, multiplier, bias, shift, low, high, *, residual=0, residual_multiplier=0):
    """``clamp((acc*M + b*Mb + B + (1 << (S-1))) >> S, low, high)``: half up, arithmetic shift, S >=
    1.
    """
    total = acc * multiplier + residual * residual_multiplier + bias
    return clamp((total + (1 << (shift - 1))) >> shift, low, high)


def wrap32(x):
    """``x`` as a 32-bit two's complement number, which is what an accumulator holds."""
    return ((x + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
