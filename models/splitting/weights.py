"""Splitting input channels of weights."""

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["SplitWeights", "split_weights"]


@dataclass(frozen=True)
class SplitWeights:
    """``weight`` over more input channels; new channel i takes the activations of channel
    ``order[i]``.

    The first channels are the old ones, the copies follow.
    """

    weight: np.ndarray
    order: np.ndarray


def split_weights(weight, ratio: float, *, step=None) -> SplitWeights:
    """Split ``ceil(ratio * channels)`` input channels of ``weight`` (outputs, inputs, …), one at a
    time.

    Each time it is the channel with the largest magnitude, a copy included. Without ``step`` both
    copies get half of the weights. With ``step``, the grid they will be rounded to (one number, or
    one for each output), they get (w - step/2) / 2 and (w + step/2) / 2: rounded half up, these two
    sum to w rounded half up, so a split adds no rounding error.
    """
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio must be between 0 and 1, not {ratio!r}")
    weight = np.asarray(weight, dtype=np.float64)
    channels = weight.shape[1]
    order = list(range(channels))
    offset = 0.0
    if step is not None:
        offset = np.asarray(step, dtype=np.float64).reshape(-1, *[1] * (weight.ndim - 2)) / 2
    for _ in range(math.ceil(ratio * channels)):
        largest = int(np.abs(weight).max(axis=tuple(set(range(weight.ndim)) - {1})).argmax())
        low, high = (weight[:, largest] - offset) / 2, (weight[:, largest] + offset) / 2
        weight = np.concatenate([weight, high[:, None]], axis=1)
        weight[:, largest] = low
        order.append(order[largest])
    return SplitWeights(weight, np.asarray(order))
