"""Splitting channels of activations: the layer that makes them writes two halves, the next one adds
them up.
"""

import copy
import math

import numpy as np
import torch

from models.export.interpret import evaluate
from models.export.ir import FloatGraph, Op
from models.export.scales import calibrated, observe

__all__ = ["split_activations", "split_seen_activations"]


def split_seen_activations(
    graph: FloatGraph, images: torch.Tensor, ratio: float, *, bits: int, method: str
) -> list[str]:
    """:func:`split_activations` by what ``images`` make of each channel, and by the steps that
    calibration with ``bits`` and ``method`` finds for the halves.
    """
    largest: dict[str, np.ndarray] = {}

    def look(op: Op, y: torch.Tensor, *sources) -> None:
        found = y.abs().amax((0, 2, 3)).numpy()
        largest[op.name] = np.maximum(largest.get(op.name, 0), found)

    for part in images.split(64):
        evaluate(graph, part, look)
    trial = copy.deepcopy(graph)
    split_activations(trial, largest, ratio)
    plans = calibrated(trial, observe(trial, images), bits=bits, method=method)
    steps = {name: plan.scale for name, plan in plans.items()}
    return split_activations(graph, largest, ratio, step=steps)


def split_activations(
    graph: FloatGraph, largest: dict[str, np.ndarray], ratio: float, *, step=None
) -> list[str]:
    """Split ``ceil(ratio * channels)`` outlier channels of the activations of a fused graph, in
    place.

    ``largest`` holds the largest magnitude seen of each channel, by operation. An operation is
    split whose result only one convolution or fully connected layer (over a 1×1 map) reads, and
    which has no upper clamp. The halves are x/2; with ``step`` (the step of each operation's edge,
    by name) they are (x - step/2) / 2 and (x + step/2) / 2. Returns the names of the operations
    that were split.
    """
    done = []
    for op in list(graph.ops.values()):
        readers = graph.consumers(op.name)
        if len(readers) == 1 and _splittable(op, readers[0]):
            offset = 0.0 if step is None else step[op.name] / 2
            _split(op, readers[0], np.array(largest[op.name], dtype=np.float64), ratio, offset)
            done.append(op.name)
    return done


def _splittable(op: Op, reader: Op) -> bool:
    if op.kind not in ("conv", "linear") or op.attrs.get("exact") or op.hi < np.inf:
        return False
    if len(op.inputs) > 1 or op.attrs.get("gate") or op.attrs.get("groups", 1) > 1:
        return False
    if reader.kind == "linear":
        return op.shape[1:] == (1, 1)
    alone = reader.kind == "conv" and reader.inputs[0] == op.name and len(reader.inputs) == 1
    return alone and reader.groups == 1 and not reader.attrs.get("gate")


def _split(op: Op, reader: Op, largest, ratio: float, offset: float) -> None:
    for _ in range(math.ceil(ratio * op.shape[0])):
        outlier = int(largest.argmax())
        largest[outlier] /= 2
        largest = np.append(largest, largest[outlier])
        low, high = (op.shift[outlier] - offset) / 2, (op.shift[outlier] + offset) / 2
        gain = op.gain[outlier] / 2
        if "weight" in op.attrs:
            op.attrs["weight"] = np.concatenate([op.weight, op.weight[outlier : outlier + 1]])
        op.attrs["gain"] = np.append(op.gain, gain)
        op.attrs["shift"] = np.append(op.shift, high)
        op.attrs["gain"][outlier], op.attrs["shift"][outlier] = gain, low
        copy = reader.weight[:, outlier : outlier + 1]
        reader.attrs["weight"] = np.concatenate([reader.weight, copy], axis=1)
        op.shape = (op.shape[0] + 1, *op.shape[1:])
