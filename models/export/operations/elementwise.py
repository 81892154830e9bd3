"""Operations on every element: clamps, sums, constants."""

import math

import numpy as np
import torch

from ..addressing import Value
from .context import Refused, operation

__all__ = [
    "add",
    "clamp",
    "clamp_min",
    "div",
    "hardtanh",
    "mul",
    "neg",
    "relu",
    "relu6",
    "rsub",
    "sub",
]


@operation("relu", "relu_")
def relu(context, label, node, x):
    return context.clamp(label, x, 0.0, math.inf)


@operation("hardtanh", "hardtanh_")
def hardtanh(context, label, node, x, lo=-1.0, hi=1.0):
    return context.clamp(label, x, lo, hi)


@operation("clamp", "clamp_")
def clamp(context, label, node, x, min=None, max=None):
    lo = -math.inf if min is None else min
    hi = math.inf if max is None else max
    if isinstance(lo, torch.Tensor | Value) or isinstance(hi, torch.Tensor | Value):
        raise Refused("clamps to something that is not a number")
    return context.clamp(label, x, lo, hi)


@operation("clamp_min", "clamp_min_")
def clamp_min(context, label, node, x, lo):
    return clamp(context, label, node, x, lo, None)


@operation("relu6", "relu6_")
def relu6(context, label, node, x):
    return context.clamp(label, x, 0.0, 6.0)


@operation("add", "add_")
def add(context, label, node, a, b, alpha=1):
    if isinstance(a, Value) and isinstance(b, Value):
        return _sum(context, label, a, b, float(alpha))
    if not isinstance(a, Value):
        a, b = b, a
        channels = context.channels(a, b)
        return context.affine(label, a, np.full(len(channels), float(alpha)), channels)
    shift = context.channels(a, b) * alpha
    return context.affine(label, a, np.ones(len(shift)), shift)


@operation("sub", "sub_")
def sub(context, label, node, a, b, alpha=1):
    if not isinstance(a, Value):
        return add(context, label, node, a, b, alpha=-alpha)
    if isinstance(b, Value):
        return _sum(context, label, a, b, -float(alpha))
    return add(context, label, node, a, b, alpha=-alpha)


@operation("rsub")
def rsub(context, label, node, a, b, alpha=1):
    return sub(context, label, node, b, a, alpha)


@operation("mul", "mul_")
def mul(context, label, node, a, b):
    if isinstance(a, Value) and isinstance(b, Value):
        raise Refused("multiplies two activations")
    a, b = (a, b) if isinstance(a, Value) else (b, a)
    gain = context.channels(a, b)
    return context.affine(label, a, gain, np.zeros(len(gain)))


@operation("div", "div_")
def div(context, label, node, a, b, rounding_mode=None):
    if isinstance(b, Value) or rounding_mode is not None:
        raise Refused("divides by an activation, or rounds")
    gain = 1 / context.channels(a, b)
    return context.affine(label, a, gain, np.zeros(len(gain)))


@operation("neg", "neg_")
def neg(context, label, node, a):
    return mul(context, label, node, a, -1.0)


def _sum(context, label, a, b, gain_b: float) -> Value:
    if a.shape != b.shape:
        raise Refused(f"adds shapes {list(a.shape[1:])} and {list(b.shape[1:])}")
    first, second = context.source(a, label), context.source(b, label)
    shape = context.graph.ops[first].shape
    ones = np.ones(shape[0])
    return context.append(
        label,
        "add",
        [first, second],
        shape,
        len(a.shape),
        gain=ones,
        gain_b=ones * gain_b,
        shift=np.zeros(shape[0]),
    )
