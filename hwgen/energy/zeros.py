"""How many products of a network have no operand that is zero."""

import numpy as np

from models.netfile import Network
from models.reference import Result
from models.reference.convolution import columns, convolve

__all__ = ["nonzero_products"]


def nonzero_products(network: Network, result: Result, *, gated: bool = True) -> int:
    """Products of two numbers that are not zero, over all images of a run of the reference.

    Parameters
    ----------
    network
        That ran.
    result
        With taps of all layers, and masks.
    gated
        Only those that the gates leave over: all of the base pass, and the rest where it fired. A
        product of the high bits and one of the low bits count apart, as they are computed.
    """
    total = 0
    for layer in network.layers:
        if layer.kind == "conv":
            total += _convolution(network, layer, result, gated)
        elif layer.kind == "linear":
            x = result.taps[layer.inputs[0]]
            present = (x.reshape(len(x), -1) != 0).sum(0)
            total += int((network.weight(layer) != 0).sum(0).astype(np.int64) @ present)
    return total


def _convolution(network: Network, layer, result: Result, gated: bool) -> int:
    x, weight = result.taps[layer.inputs[0]], network.weight(layer) != 0
    bipolar = network.edge(layer).bipolar

    def count(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """For each output (image, channel, row, column)."""
        cols = columns(
            values != 0, layer.kernel, layer.stride, layer.padding, np.float32, int(bipolar)
        )
        sums = convolve(cols, weights, layer.groups)
        return sums.reshape(len(sums), len(x), *layer.output.shape[1:]).swapaxes(0, 1)

    if not gated or layer.gate is None:
        return int(count(x, weight).sum())
    kept = network.base_weight_mask(layer)[:, :, None, None] & weight
    fired = result.masks[layer.name]
    high_bits = layer.gate.high_bits
    low = 0 if high_bits is None else network.edge(layer).bits - high_bits
    base = count(x >> low, kept)
    rest = count(x, weight & ~kept) + (count(x & ((1 << low) - 1), kept) if low else 0)
    return int(base.sum() + rest[fired].sum())
