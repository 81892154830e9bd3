"""Proofs about a layer from its weights and the range of its input: no image can leave these
bounds.
"""

from dataclasses import dataclass

import numpy as np

from .network import Network

__all__ = ["Range", "accumulator_range", "prove_bounds", "sum_range"]


@dataclass(frozen=True)
class Range:
    """Smallest and largest value of each output channel (int64 arrays)."""

    lo: np.ndarray
    hi: np.ndarray

    def widest(self) -> int:
        """Two's complement bits that hold every value."""
        return int(
            max(int(self.hi.max()).bit_length(), int(-1 - int(self.lo.min())).bit_length()) + 1
        )


def accumulator_range(network: Network, layer) -> Range:
    """Range of the accumulators, base sums included, at every step and in any order of
    accumulation.

    Positive products are all taken, or none; so the bound also holds for partial sums of a tile.
    """
    edge = network.edge(layer)
    channels = layer.output.shape[0]
    if layer.kind in ("conv", "linear"):
        weight = network.weight(layer).astype(np.int64).reshape(channels, -1)
        positive, negative = weight.clip(min=0).sum(1), weight.clip(max=0).sum(1)
        return Range(
            positive * min(edge.lo, 0) + negative * edge.hi, positive * edge.hi + negative * edge.lo
        )
    if layer.kind == "avgpool":
        terms = layer.kernel[0] * layer.kernel[1]
    elif layer.kind == "global_avgpool":
        terms = edge.shape[1] * edge.shape[2]
    elif layer.kind == "add":
        terms = 1
    else:
        raise ValueError(f"a layer of kind {layer.kind!r} accumulates nothing")
    one = np.ones(channels, dtype=np.int64) * terms
    return Range(one * edge.lo, one * edge.hi)


def sum_range(network: Network, layer, path: str = "full") -> Range:
    """Range of ``acc * M + b * Mb + B + (1 << (S - 1))`` of one path of a layer."""
    acc, q = accumulator_range(network, layer), network.requantizer(layer, path)
    ends = np.stack([acc.lo * q.M, acc.hi * q.M])
    offset = q.B + (np.int64(1) << (q.S - 1))
    lo, hi = ends.min(0), ends.max(0)
    if q.Mb is not None:
        edge = network.edge(layer, 1)
        ends = np.stack([edge.lo * q.Mb, edge.hi * q.Mb])
        lo, hi = lo + ends.min(0), hi + ends.max(0)
    # B may come before or after the products, so both orders have to fit.
    return Range(np.minimum(lo, lo + offset), np.maximum(hi, hi + offset))


def prove_bounds(network: Network) -> None:
    """Prove that no accumulator and no requantizer of the network can overflow; ValueError names
    the layer.
    """
    limits = network.graph.limits
    for layer in network.layers:
        if layer.kind not in ("conv", "linear", "add", "avgpool", "global_avgpool"):
            continue
        bits = accumulator_range(network, layer).widest()
        if bits > limits.accumulator_bits:
            raise ValueError(
                f"layer {layer.name!r}: accumulators need up to {bits} bits, "
                f"{limits.accumulator_bits} are there"
            )
        gate = getattr(layer, "gate", None)
        for path in ("full", "base") if gate else ("full",):
            bits = sum_range(network, layer, path).widest()
            if bits > limits.sum_bits:
                raise ValueError(
                    f"layer {layer.name!r}: requantization of its {path} path needs up to {bits} "
                    f"bits, {limits.sum_bits} are there"
                )
