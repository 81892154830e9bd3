"""Pooling and means."""

import math

import numpy as np

from ..addressing import Value
from .context import Refused, operation, pair

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "amax",
    "avg_pool2d",
    "max_pool2d",
    "max_pool2d_with_indices",
    "mean",
]


@operation("max_pool2d")
def max_pool2d(context, label, node, x, kernel, stride=(), padding=0, dilation=1, ceil=False):
    if any(d != 1 for d in pair(dilation)):
        raise Refused(f"dilation must be 1, not {dilation}")
    return _window(context, label, node, "maxpool", x, kernel, stride, padding)


@operation("max_pool2d_with_indices")
def max_pool2d_with_indices(context, label, node, *args):
    # The operation gives a pair; its second half, if anybody used it, is refused as no value.
    shapes = node.meta["val"][0]
    return (max_pool2d(context, label, _Shaped(shapes), *args), None)


@operation("avg_pool2d")
def avg_pool2d(
    context, label, node, x, kernel, stride=(), padding=0, ceil=False, include=True, divisor=None
):
    if any(pair(padding)) and not include:
        raise Refused("an average that does not count its padding")
    size = math.prod(pair(kernel))
    return _window(context, label, node, "avgpool", x, kernel, stride, padding, divisor or size)


def _window(context, label, node, kind, x, kernel, stride, padding, divisor=None):
    source = context.source(x, label)
    kernel, (top, left) = pair(kernel), pair(padding)
    stride = pair(stride) if stride else kernel
    shape = context.graph.ops[source].shape
    rows, cols = node.meta["val"].shape[2:]
    # What a window of ceil_mode reaches beyond the padding.
    below = max((rows - 1) * stride[0] + kernel[0] - shape[1] - 2 * top, 0)
    right = max((cols - 1) * stride[1] + kernel[1] - shape[2] - 2 * left, 0)
    if divisor and (below or right):
        raise Refused("an average over windows that reach beyond the image (ceil_mode)")
    sides = (top, top + below, left, left + right)
    attrs = {"kernel": kernel, "stride": stride, "padding": sides}
    if divisor:
        attrs |= {"gain": np.full(shape[0], 1 / divisor), "shift": np.zeros(shape[0])}
    return context.append(label, kind, [source], (shape[0], rows, cols), **attrs)


@operation("adaptive_avg_pool2d")
def adaptive_avg_pool2d(context, label, node, x, size):
    return _adaptive(context, label, node, "avgpool", x, size)


@operation("adaptive_max_pool2d")
def adaptive_max_pool2d(context, label, node, x, size):
    return (_adaptive(context, label, _Shaped(node.meta["val"][0]), "maxpool", x, size), None)


def _adaptive(context, label, node, kind, x, size):
    if kind == "avgpool" and tuple(pair(size)) == (1, 1):
        return _mean(context, label, x, 4)
    rows, cols = x.shape[2:]
    if pair(size)[0] % rows == 0 and pair(size)[1] % cols == 0:
        return x.repeated(pair(size)[0] // rows, pair(size)[1] // cols)
    if rows % pair(size)[0] or cols % pair(size)[1]:
        raise Refused(f"pools {rows}×{cols} to {list(size)}: windows of unequal size")
    kernel = (rows // pair(size)[0], cols // pair(size)[1])
    divisor = math.prod(kernel) if kind == "avgpool" else None
    return _window(context, label, node, kind, x, kernel, kernel, 0, divisor)


@operation("mean")
def mean(context, label, node, x, dims=None, keepdim=False, dtype=None):
    if len(x.shape) != 4 or sorted(d % 4 for d in dims or ()) != [2, 3]:
        raise Refused("a mean over anything but height and width")
    return _mean(context, label, x, 4 if keepdim else 2)


@operation("amax")
def amax(context, label, node, x, dims=(), keepdim=False):
    if len(x.shape) != 4 or sorted(d % 4 for d in dims) != [2, 3]:
        raise Refused("a maximum over anything but height and width")
    source, kernel = context.source(x, label), tuple(x.shape[2:])
    attrs = {"kernel": kernel, "stride": kernel, "padding": (0, 0, 0, 0)}
    axes = 4 if keepdim else 2
    return context.append(label, "maxpool", [source], (x.shape[1], 1, 1), axes, **attrs)


def _mean(context, label, x, axes: int) -> Value:
    source = context.source(x, label)
    channels, rows, cols = context.graph.ops[source].shape
    attrs = {"gain": np.full(channels, 1 / (rows * cols)), "shift": np.zeros(channels)}
    return context.append(label, "gap", [source], (channels, 1, 1), axes, **attrs)


class _Shaped:
    """A node that stands for the first of several results."""

    def __init__(self, value):
        self.meta = {"val": value}
