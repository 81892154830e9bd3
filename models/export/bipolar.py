"""Bits that stand for -1 and 1, where everybody who reads them multiplies them by -1 and 1.

Training and the traced graph know a bit b as 0 or 1 (:class:`models.quantizers.BinaryActivation`).
With n = 2b - 1 the sum of products is Σ b·w = (Σ n·w + Σ w) / 2 over all taps: padding of b with 0
is padding of n with -1. So edges of such bits become edges of -1 and 1, and their readers get half
the gain and an offset.
"""

import numpy as np

from .ir import EdgePlan, FloatGraph, Op
from .scales import families

__all__ = ["bipolar_edges", "over_signs"]


def bipolar_edges(graph: FloatGraph, plans: dict[str, EdgePlan]) -> set[str]:
    """The operations whose results are to be -1 and 1: one unsigned bit, and all who read it, or
    what was moved from it, have weights of one bit and no gate.
    """
    family = families(graph)
    refused = {
        family[source]
        for op in graph.ops.values()
        for index, source in enumerate(op.inputs)
        if family[op.name] != family[source] and not (index == 0 and _multiplies_signs(op))
    }
    refused |= {family[op.name] for op in graph.ops.values() if op.kind in ("input", "output")}
    return {
        name
        for name, plan in plans.items()
        if (plan.bits, plan.signed) == (1, False) and family[name] not in refused
    }


def _multiplies_signs(op: Op) -> bool:
    return op.attrs.get("weight_bits") == 1 and not op.attrs.get("gate")


def over_signs(gain, shift, unit, weight: np.ndarray):
    """Gain, shift and unit of a sum over bits, for the sum over their signs."""
    total = weight.reshape(len(weight), -1).sum(1)
    return gain, shift + gain * unit * total / 2, unit / 2
