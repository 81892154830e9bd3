"""Weights of a network file: dense, without a wasted bit.

A weight of one bit is 1 or -1, stored as 1 or 0; wider ones are two's complement.
"""

import numpy as np

from hwgen.bitpacking import pack, unpack

from .layers import Graph, weight_type

__all__ = ["pack_weights", "unpack_weights"]


def pack_weights(graph: Graph, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of a network as a file holds them; all values must fit."""
    stored = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    for name, (layer, _) in _weights(graph).items():
        bits, values = layer.weight_bits, tensors[name].astype(np.int64)
        if bits == 1:
            stored[name] = pack(values + 1 >> 1, 1, signed=False)
        else:
            stored[name] = pack(values, bits, signed=True)
    return stored


def unpack_weights(graph: Graph, stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors that a file holds as the network has them.

    Raises
    ------
    ValueError
        If a packed tensor has the wrong length, or bits beyond its end are set.
    """
    tensors = dict(stored)
    for name, (layer, shape) in _weights(graph).items():
        if name not in stored:
            continue  # whoever checks the network says so
        bits = layer.weight_bits
        try:
            values = unpack(stored[name], shape, bits, signed=bits > 1)
        except ValueError as error:
            raise ValueError(f"layer {layer.name!r}: tensor {name!r}: {error}") from None
        tensors[name] = (2 * values - 1 if bits == 1 else values).astype(weight_type(bits))
    return tensors


def _weights(graph: Graph) -> dict:
    """For each tensor of weights a layer that has it, and its shape."""
    found = {}
    for layer in graph.layers:
        if layer.kind not in ("conv", "linear"):
            continue
        first, _ = found.setdefault(layer.weight, (layer, layer.weight_shape))
        if (first.weight_bits, first.weight_shape) != (layer.weight_bits, layer.weight_shape):
            raise ValueError(
                f"layer {layer.name!r}: tensor {layer.weight!r} belongs to layer {first.name!r} "
                "with another width or shape"
            )
    return found
