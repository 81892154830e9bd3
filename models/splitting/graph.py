"""Splitting the weights of a whole traced network."""

import numpy as np

from models.export.ir import FloatGraph, Op

from .weights import split_weights

__all__ = ["split_graph"]


def split_graph(graph: FloatGraph, ratio: float, *, bits: int, aware: bool = True) -> list[str]:
    """Split input channels of every convolution and fully connected layer of a fused graph, in
    place.

    The copies of activations are addressing (a split and a concatenation), not computing. ``aware``
    splits in units of the grid that the split weights will be rounded to. Grouped convolutions, and
    fully connected layers over more than a 1×1 map, are left alone. Returns the names of the layers
    that were split.
    """
    done = []
    for op in [op for op in graph.ops.values() if op.kind in ("conv", "linear")]:
        if op.attrs.get("exact") or op.attrs.get("groups", 1) > 1 or op.attrs.get("gate"):
            continue
        source = graph.ops[op.inputs[0]]
        if op.kind == "linear" and source.shape[1:] != (1, 1):
            continue
        result = split_weights(op.weight, ratio)
        if aware:
            rows = np.abs(result.weight).reshape(len(op.weight), -1).max(1)
            step = np.where(rows > 0, rows, 1.0) / ((1 << (bits - 1)) - 1)
            result = split_weights(op.weight, ratio, step=step)
        op.attrs["weight"] = result.weight
        op.inputs[0] = _copied(graph, source, result.order, op)
        done.append(op.name)
    return done


def _copied(graph: FloatGraph, source: Op, order, reader: Op) -> str:
    """An operation whose channels are ``order`` of ``source``: all of them, then the copies."""
    if len(order) == source.shape[0]:
        return source.name
    after, parts = source.name, [source.name]
    for channel in order[source.shape[0] :]:
        attrs = {"start": int(channel), "count": 1}
        shape = (1, *source.shape[1:])
        name = f"{reader.name}.outlier"
        part = Op(name, "split", [source.name], shape, attrs, reader.label)
        after = graph.insert_after(after, part).name
        parts.append(after)
    shape = (len(order), *source.shape[1:])
    joined = Op(f"{reader.name}.split", "concat", parts, shape, {}, reader.label)
    return graph.insert_after(after, joined).name
