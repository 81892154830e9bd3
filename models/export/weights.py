"""Weights of a traced operation as integers."""

import numpy as np

from models.netfile import round_half_up

from .ir import Op

__all__ = ["effective_weight", "quantize_weights"]


def quantize_weights(op: Op, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """(integers, step of each output channel) of the weights of ``op``, whose ``weight_step`` wins
    if it has one. One bit is -1 or 1.
    """
    top = max((1 << (bits - 1)) - 1, 1)
    rows = op.weight.reshape(len(op.weight), -1)
    if op.attrs.get("exact"):
        steps = np.ones(len(rows))
    elif "weight_step" in op.attrs:
        steps = np.broadcast_to(np.asarray(op.weight_step, np.float64).ravel(), (len(rows),))
    else:
        steps = np.abs(rows).max(1) / top
    steps = np.where(steps > 0, steps, 1.0)
    integers = round_half_up(rows / steps[:, None]).clip(-top, top)
    return integers.reshape(op.weight.shape), steps


def effective_weight(op: Op) -> np.ndarray:
    """The weights ``op`` computes with: on their grid if that was trained, else as they are."""
    if "weight_step" not in op.attrs:
        return op.weight
    integers, steps = quantize_weights(op, op.weight_bits)
    return integers * steps.reshape(-1, *[1] * (op.weight.ndim - 1))
