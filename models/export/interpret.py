"""Running a traced graph in floating point, to calibrate it and to check that tracing and fusing
changed nothing.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from .ir import FloatGraph, Op

__all__ = ["convolved", "evaluate"]


def evaluate(
    graph: FloatGraph,
    images: torch.Tensor,
    observe: Callable[..., None] | None = None,
) -> list[torch.Tensor]:
    """The outputs of ``graph``, (images, channels, rows, columns) each; ``observe`` is
    called with each operation, its result and its operands.

    Gates are not evaluated: a gated convolution computes its full path.
    """
    values: dict[str, torch.Tensor] = {}
    last = {name: op.name for op in graph.ops.values() for name in op.inputs}
    outputs = []
    with torch.no_grad():
        for op in graph.ops.values():
            sources = [values[name] for name in op.inputs]
            y = images if op.kind == "input" else _compute(op, *sources)
            if op.clamped:
                y = y.clamp(op.lo, op.hi)
            if tuple(y.shape[1:]) != tuple(op.shape):
                raise AssertionError(f"{op.label}: made {tuple(y.shape)}, traced as {op.shape}")
            if observe:
                observe(op, y, *sources)
            values[op.name] = y
            if op.kind == "output":
                outputs.append(y)
            for name in set(op.inputs):
                if last[name] == op.name:
                    del values[name]
    return outputs


def _channelwise(array, like) -> torch.Tensor:
    return torch.as_tensor(np.asarray(array), dtype=like.dtype).view(1, -1, 1, 1)


def _compute(op: Op, x, *others):
    if op.kind == "concat":
        return torch.cat([x, *others], 1)
    b = others[0] if others else None
    if op.kind in ("conv", "linear", "avgpool", "gap", "affine", "add"):
        y = _sum(op, x) * _channelwise(op.gain, x) + _channelwise(op.shift, x)
        return y if b is None else y + b * _channelwise(op.gain_b, x)
    if op.kind == "maxpool":
        return F.max_pool2d(_padded(x, op.padding, -torch.inf), op.kernel, op.stride)
    if op.kind == "split":
        return x[:, op.start : op.start + op.count]
    if op.kind == "shuffle":
        return x.unflatten(1, (op.groups, -1)).transpose(1, 2).flatten(1, 2)
    if op.kind == "flatten":
        return x.reshape(len(x), -1, 1, 1)
    if op.kind == "subsample":
        return x[:, :, :: op.stride[0], :: op.stride[1]]
    if op.kind == "pad":
        return F.pad(_padded(x, op.padding), (0, 0, 0, 0, op.before, op.after))
    if op.kind in ("clamp", "output"):
        return x
    raise AssertionError(f"{op.label}: kind {op.kind}")


def convolved(op: Op, x: torch.Tensor, weight) -> torch.Tensor:
    """The sums of products of a convolution with other weights, before gain and shift."""
    weight = torch.as_tensor(weight, dtype=x.dtype)
    return F.conv2d(_padded(x, op.padding), weight, stride=op.stride, groups=op.groups)


def _sum(op: Op, x):
    """What gain and shift are applied to."""
    if op.kind == "conv":
        return convolved(op, x, op.weight)
    if op.kind == "linear":
        return F.linear(x.flatten(1), torch.as_tensor(op.weight, dtype=x.dtype))[:, :, None, None]
    if op.kind == "avgpool":
        area = op.kernel[0] * op.kernel[1]
        return F.avg_pool2d(_padded(x, op.padding), op.kernel, op.stride) * area
    if op.kind == "gap":
        return x.sum((2, 3), keepdim=True)
    return x


def _padded(x, padding, value: float = 0.0):
    top, bottom, left, right = padding
    return F.pad(x, (left, right, top, bottom), value=value) if any(padding) else x
