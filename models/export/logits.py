"""Spending the eight bits of the logits where classes are decided."""

import numpy as np
import torch

from .interpret import evaluate
from .ir import EdgePlan, FloatGraph

__all__ = ["center_logits"]

_BITS = 8
_SLACK = 0.15
"""Part of the range of winning logits that is kept free on both sides, for images not seen here."""


def center_logits(graph: FloatGraph, plans: dict[str, EdgePlan], images) -> float:
    """Move and scale the logits of a classifier so that the largest of each image fill the range.

    One number subtracted from all classes moves no decision, and logits far below the largest may
    saturate. So the step is (range of the largest logits) / 255, not (largest magnitude) / 127:
    fewer images have two classes on one integer. Changes the last operation of ``graph`` and its
    plan; returns what was subtracted, 0.0 if nothing was done because the logits have a trained
    quantizer, a clamp, other readers, or are no sum.
    """
    (output, *others) = graph.outputs
    last = graph.ops[output.inputs[0]]
    alone = len(graph.consumers(last.name)) == 1 and not others
    if not alone or last.kind not in ("linear", "conv") or last.clamped or "plan" in last.attrs:
        return 0.0
    if last.attrs.get("exact") or last.attrs.get("gate") or output.shape[0] < 2:
        return 0.0
    winners = []
    for start in range(0, len(images), 64):
        (logits,) = evaluate(graph, torch.as_tensor(images[start : start + 64]))
        winners.append(logits.flatten(1).amax(1).double().numpy())
    winners = np.concatenate(winners)
    lo, hi = float(winners.min()), float(winners.max())
    slack = _SLACK * (hi - lo)
    lo, hi = lo - slack, hi + slack
    scale = (hi - lo) / ((1 << _BITS) - 1)
    if not 0 < scale < plans[last.name].scale:
        return 0.0
    middle = (hi + lo) / 2
    last.attrs["shift"] = last.shift - middle
    plans[last.name] = plans[output.name] = EdgePlan(scale, _BITS, True)
    return middle
