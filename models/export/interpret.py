"""Running a traced graph in floating point, to calibrate it and to check that tracing and fusing
changed nothing.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from .ir import EdgePlan, FloatGraph, Op
from .weights import effective_weight

__all__ = ["convolved", "evaluate"]


def evaluate(
    graph: FloatGraph,
    images: torch.Tensor,
    observe: Callable[..., None] | None = None,
) -> list[torch.Tensor]:
    """The outputs of ``graph``, (images, channels, rows, columns) each; ``observe`` is called with
    each operation, its result and its operands.

    Trained quantizers and gates do what they do in the network; a precision gate behind an edge
    without a trained quantizer always fires, because nothing says yet what its bits are.
    """
    values: dict[str, torch.Tensor] = {}
    last = {name: op.name for op in graph.ops.values() for name in op.inputs}
    outputs = []
    with torch.no_grad():
        for op in graph.ops.values():
            sources = [values[name] for name in op.inputs]
            y = images if op.kind == "input" else _compute(op, *sources)
            if op.kind == "conv" and op.attrs.get("gate"):
                y = _gated(graph, op, y, *sources)
            if op.clamped:
                y = y.clamp(op.lo, op.hi)
            if "plan" in op.attrs:
                y = _on_grid(y, op.plan)
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
    if op.kind == "thermometer":
        byte = (x * 255 + 0.5).floor()
        return (byte >= _channelwise(op.thresholds, x)).to(x.dtype)
    if op.kind == "subsample":
        return x[:, :, :: op.stride[0], :: op.stride[1]]
    if op.kind == "pad":
        return F.pad(_padded(x, op.padding), (0, 0, 0, 0, op.before, op.after))
    if op.kind in ("clamp", "quantize", "output"):
        return x
    raise AssertionError(f"{op.label}: kind {op.kind}")


def _on_grid(y: torch.Tensor, plan: EdgePlan) -> torch.Tensor:
    lo, hi = plan.range
    return (y / plan.scale + 0.5).floor().clamp(lo, hi) * plan.scale


def _gated(graph: FloatGraph, op: Op, full, x, *residual):
    """The full result where the gate fires, that of the base sum elsewhere."""
    gate = op.gate
    if gate.kind in ("precision", "both"):
        plan = graph.plan_of(op.inputs[0])
        if plan is None:
            return full
        step = plan.scale * 2 ** (plan.bits - gate.high_bits)
        # Half a step of slack: x is on the grid but for rounding errors.
        x = ((x + plan.scale / 2) / step).floor() * step
    base = convolved(op, x, gate.base_weight(effective_weight(op)))
    y = base * _channelwise(gate.gain, x) + _channelwise(gate.shift, x)
    if residual:
        y = y + residual[0] * _channelwise(op.gain_b, x)
    return torch.where(base > _channelwise(gate.theta, x), full, y)


def convolved(op: Op, x: torch.Tensor, weight) -> torch.Tensor:
    """The sums of products of a convolution with other weights, before gain and shift."""
    weight = torch.as_tensor(weight, dtype=x.dtype)
    return F.conv2d(_padded(x, op.padding), weight, stride=op.stride, groups=op.groups)


def _sum(op: Op, x):
    """What gain and shift are applied to."""
    if op.kind == "conv":
        return convolved(op, x, effective_weight(op))
    if op.kind == "linear":
        return F.linear(x.flatten(1), torch.as_tensor(effective_weight(op), dtype=x.dtype))[
            :, :, None, None
        ]
    if op.kind == "avgpool":
        area = op.kernel[0] * op.kernel[1]
        return F.avg_pool2d(_padded(x, op.padding), op.kernel, op.stride) * area
    if op.kind == "gap":
        return x.sum((2, 3), keepdim=True)
    return x


def _padded(x, padding, value: float = 0.0):
    top, bottom, left, right = padding
    return F.pad(x, (left, right, top, bottom), value=value) if any(padding) else x
