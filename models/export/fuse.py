"""Rewriting a traced graph until every operation is one layer of a network file.

Batch norm disappears into the gain and shift of its convolution, ReLU into the clamp, a residual
add into the convolution before it, padding into whatever reads it.
"""

import numpy as np

from hwgen.errors import UserError

from .ir import REQUANTIZING, FloatGraph, Op

__all__ = ["fuse"]

_MOVES = ("maxpool", "shuffle", "split", "subsample", "flatten")


def fuse(graph: FloatGraph, *, residuals: bool = True) -> FloatGraph:
    """Rewrite ``graph`` in place and return it. ``residuals=False`` leaves every add a layer of its
    own.
    """
    graph.prune()
    for name in list(graph.ops):
        op = graph.ops.get(name)
        if op is None:
            continue
        if op.kind == "affine":
            _fold_affine(graph, op)
        elif op.kind == "clamp":
            _fold_clamp(graph, op)
        elif op.kind == "quantize":
            _fold_quantize(graph, op)
    if residuals:
        for op in [op for op in graph.ops.values() if op.kind == "add"]:
            _fuse_add(graph, op)
    for op in [op for op in graph.ops.values() if op.kind == "pad"]:
        _lower_pad(graph, op)
    for op in [op for op in graph.ops.values() if op.kind == "subsample"]:
        op.kind = "maxpool"
        op.attrs = {"kernel": (1, 1), "stride": op.stride, "padding": (0, 0, 0, 0)}
    for op in [op for op in graph.ops.values() if op.kind == "flatten"]:
        readers = graph.consumers(op.name)
        if op.shape[1:] == (1, 1) and all(r.kind == "linear" for r in readers):
            graph.bypass(op.name)
    for op in [op for op in graph.ops.values() if op.kind == "concat"]:
        _align(graph, op)
    graph.prune()
    return graph


def _align(graph: FloatGraph, op: Op) -> None:
    """Bring the operands of a concatenation to the coarsest of their trained scales."""
    plans = [graph.plan_of(name) for name in op.inputs]
    if None in plans or len(set(plans)) == 1:
        return
    coarsest = max(plans, key=lambda plan: (plan.scale, plan.signed))
    for index, plan in enumerate(plans):
        if plan != coarsest:
            source = graph.ops[op.inputs[index]]
            op.inputs[index] = _rescaled(graph, source, coarsest, op.label)
            graph.rescaled.append(op.label)


def _alone(graph: FloatGraph, name: str) -> bool:
    """Whether exactly one operation reads ``name``."""
    return len(graph.consumers(name)) == 1


def _fold_affine(graph: FloatGraph, op: Op) -> None:
    source = graph.ops[op.inputs[0]]
    if source.kind not in REQUANTIZING or source.kind == "clamp":
        return
    if source.clamped or "plan" in source.attrs or not _alone(graph, source.name):
        return
    for part in (
        (source.attrs, vars(source.attrs["gate"])) if source.attrs.get("gate") else (source.attrs,)
    ):
        part["gain"] = part["gain"] * op.gain
        part["shift"] = part["shift"] * op.gain + op.shift
    if "gain_b" in source.attrs:
        source.attrs["gain_b"] = source.gain_b * op.gain
    graph.bypass(op.name)


def _fold_clamp(graph: FloatGraph, op: Op) -> None:
    """Into the operation that computes its operand, past those that only move numbers."""
    chain = graph.ops[op.inputs[0]]
    while chain.kind in _MOVES and _alone(graph, chain.name):
        chain = graph.ops[chain.inputs[0]]
    if chain.kind not in REQUANTIZING or not _alone(graph, chain.name):
        return
    lo, hi = op.lo, op.hi
    chain.attrs["lo"] = min(max(chain.lo, lo), hi)
    chain.attrs["hi"] = max(min(chain.hi, hi), lo)
    graph.bypass(op.name)


def _fold_quantize(graph: FloatGraph, op: Op) -> None:
    """A trained quantizer into the operation whose result it rounds.

    Others that read the same result then read it rounded: there is only one edge, and it holds
    integers. A second quantizer that differs becomes a layer of its own.
    """
    chain = graph.ops[op.inputs[0]]
    others = [r for r in graph.consumers(chain.name) if r.kind == "quantize" and r is not op]
    while chain.kind in _MOVES and _alone(graph, chain.name):
        chain = graph.ops[chain.inputs[0]]
    if chain.kind == "concat" and _alone(graph, chain.name) and graph.plan_of(chain.name) is None:
        _fold_into_operands(graph, op, chain)
        return
    free = chain.kind in (*REQUANTIZING, "input") and "plan" not in chain.attrs
    if not free and chain.attrs.get("plan") != op.plan:
        op.kind = "clamp"
        return
    if free and any(other.plan != op.plan for other in others):
        op.kind = "clamp"
        return
    chain.attrs["plan"] = op.plan
    graph.bypass(op.name)


def _fold_into_operands(graph: FloatGraph, op: Op, concat: Op) -> None:
    """A trained quantizer behind a concatenation: each operand is rounded to it, once more if it
    was before.
    """
    for index, name in enumerate(concat.inputs):
        source = graph.ops[name]
        if source.kind in REQUANTIZING and "plan" not in source.attrs and _alone(graph, name):
            source.attrs["plan"] = op.plan
        else:
            concat.inputs[index] = _rescaled(graph, source, op.plan, concat.label)
    graph.bypass(op.name)


def _rescaled(graph: FloatGraph, source: Op, plan, label: str) -> str:
    op = Op(f"{source.name}.rescale", "clamp", [source.name], source.shape, {"plan": plan}, label)
    return graph.insert_after(source.name, op).name


def _fuse_add(graph: FloatGraph, op: Op) -> None:
    """Into the convolution that is computed last of its operands; the other operand becomes the
    residual.
    """
    order = list(graph.ops)
    candidates = [
        (order.index(name), index)
        for index, name in enumerate(op.inputs)
        if graph.ops[name].kind == "conv"
        and not graph.ops[name].clamped
        and "plan" not in graph.ops[name].attrs
        and len(graph.ops[name].inputs) == 1
        and _alone(graph, name)
    ]
    if not candidates:
        return
    _, index = max(candidates)
    conv, other = graph.ops[op.inputs[index]], op.inputs[1 - index]
    gains = (op.gain, op.gain_b)
    conv.attrs |= {
        "gain": conv.gain * gains[index],
        "shift": conv.shift * gains[index] + op.shift,
        "gain_b": gains[1 - index],
        "lo": op.lo,
        "hi": op.hi,
    }
    if "plan" in op.attrs:
        conv.attrs["plan"] = op.plan
    if conv.attrs.get("gate"):
        gate = conv.gate
        gate.gain, gate.shift = gate.gain * gains[index], gate.shift * gains[index] + op.shift
    conv.inputs.append(other)
    # The convolution moves to where the sum was, behind both operands, and takes over its readers.
    del graph.ops[conv.name]
    graph.insert_after(op.name, conv)
    for reader in graph.consumers(op.name):
        reader.inputs = [conv.name if n == op.name else n for n in reader.inputs]
    del graph.ops[op.name]


def _lower_pad(graph: FloatGraph, op: Op) -> None:
    """Spatial padding goes into the layers that read it; channels of zeros make a convolution."""
    if op.before == op.after == 0 and not any(op.padding):
        graph.bypass(op.name)
        return
    readers = graph.consumers(op.name)
    absorbing = all(r.kind in ("conv", "avgpool") and r.inputs == [op.name] for r in readers)
    if op.before == op.after == 0 and absorbing:
        for reader in readers:
            reader.attrs["padding"] = tuple(
                a + b for a, b in zip(reader.padding, op.padding, strict=True)
            )
        graph.bypass(op.name)
        return
    source = graph.ops[op.inputs[0]]
    stride = (1, 1)
    if source.kind == "subsample" and _alone(graph, source.name) and not any(op.padding):
        stride = source.stride
        graph.bypass(source.name)
        source = graph.ops[op.inputs[0]]
    channels = source.shape[0]
    outputs = op.before + channels + op.after
    if min(op.padding) < 0:
        raise UserError(f"layer {op.label!r}: negative padding cannot be mapped")
    weight = np.zeros((outputs, channels, 1, 1))
    weight[np.arange(channels) + op.before, np.arange(channels)] = 1
    op.kind = "conv"
    op.attrs = {
        "weight": weight,
        "stride": stride,
        "padding": op.padding,
        "groups": 1,
        "gain": np.ones(outputs),
        "shift": np.zeros(outputs),
        "exact": True,
    }
