"""One scale for every edge: edges that only differ by moving numbers share it."""

from collections.abc import Callable

import numpy as np
import torch

from models.calibration import Histogram, clip

from .interpret import evaluate
from .ir import EdgePlan, FloatGraph, Op

__all__ = ["calibrated", "families", "observe"]

_SHARING = ("maxpool", "concat", "split", "shuffle", "flatten", "output")


def families(graph: FloatGraph) -> dict[str, str]:
    """The representative of each operation's family: those whose integers have to mean the same."""
    parent = {name: name for name in graph.ops}

    def find(name):
        while parent[name] != name:
            name = parent[name]
        return name

    for op in graph.ops.values():
        if op.kind in _SHARING or (op.attrs.get("exact") and len(op.inputs) == 1):
            for source in op.inputs:
                parent[find(op.name)] = find(source)
    return {name: find(name) for name in graph.ops}


def observe(
    graph: FloatGraph,
    images: torch.Tensor,
    *,
    batch: int = 64,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Histogram]:
    """What each family of edges holds over ``images``."""
    family = families(graph)
    seen = {name: Histogram() for name in set(family.values())}

    def look(op: Op, y: torch.Tensor, *sources) -> None:
        if op.kind not in _SHARING:
            try:
                seen[family[op.name]].observe(y.numpy())
            except ValueError as error:
                raise ValueError(f"layer {op.label!r}: {error}") from None

    for start in range(0, len(images), batch):
        evaluate(graph, images[start : start + batch], look)
        if progress:
            progress(min(start + batch, len(images)))
    return seen


def nonnegative(graph: FloatGraph, seen: dict[str, Histogram]) -> dict[str, bool]:
    """Which families can hold no negative number on any image (the input: as far as was seen)."""
    family = families(graph)
    proven: dict[str, bool] = {}
    result = dict.fromkeys(seen, True)
    for op in graph.ops.values():
        sources = [proven[name] for name in op.inputs]
        if "plan" in op.attrs:
            fact = not op.plan.signed
        elif op.kind == "input":
            fact = seen[family[op.name]].minimum >= 0
        elif op.kind in ("affine", "add", "avgpool", "gap"):
            gains = [op.gain, op.attrs.get("gain_b", 0), op.shift]
            fact = op.lo >= 0 or (all(sources) and all(np.all(g >= 0) for g in gains))
        elif op.kind == "clamp" or op.attrs.get("exact"):
            fact = op.lo >= 0 or all(sources)
        elif op.kind in ("conv", "linear"):
            fact = op.lo >= 0
        else:
            fact = all(sources)
        proven[op.name] = fact
        result[family[op.name]] &= fact
    return result


def calibrated(
    graph: FloatGraph, seen: dict[str, Histogram], *, bits: int, method: str, **options
) -> dict[str, EdgePlan]:
    """The plan of every edge: its trained quantizer's if it has one.

    Otherwise ``bits`` for activations, 8 for the input and for the logits.
    """
    family = families(graph)
    positive = nonnegative(graph, seen)
    wide = {family[op.name] for op in graph.ops.values() if op.kind in ("input", "output")}
    plans = {
        family[op.name]: op.plan
        for op in graph.ops.values()
        if "plan" in op.attrs and op.kind not in _SHARING
    }
    for name, histogram in seen.items():
        if name in plans:
            continue
        width, signed = (8 if name in wide else bits), not positive[name]
        # Logits and inputs are few and seldom have outliers that could be spared.
        chosen = "minmax" if name in wide else method
        threshold = clip(histogram, chosen, width, signed=signed, **options)
        top = (1 << (width - 1)) - 1 if signed else (1 << width) - 1
        plans[name] = EdgePlan(threshold / top, width, signed)
    return {name: plans[family[name]] for name in graph.ops}
