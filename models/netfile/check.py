"""Checks of a network that a JSON schema cannot express: references, shapes, types and ranges."""

import numpy as np

from .layers import Parameters, weight_type
from .network import Network
from .shapes import output_shape

__all__ = ["check"]


def check(network: Network) -> None:
    """Raise ValueError, with the layer's or tensor's name, unless the network is well formed.

    Overflow is not checked here: :func:`~models.netfile.bounds.prove_bounds` does that.
    """
    if network.layers[0].kind != "input":
        raise ValueError(f"the first layer is {network.layers[0].name!r}, it must be of kind input")
    if not network.outputs:
        raise ValueError("there is no layer of kind output")
    known = {}
    for index, layer in enumerate(network.layers):
        try:
            if index and layer.kind == "input":
                raise ValueError("is a second input")
            for name in layer.inputs:
                if name not in known:
                    raise ValueError(f"reads {name!r}, which no earlier layer is called")
                if known[name].kind == "output":
                    raise ValueError(f"reads {name!r}, which is an output")
            _check_layer(network, layer)
        except ValueError as error:
            raise ValueError(f"layer {layer.name!r}: {error}") from None
        known[layer.name] = layer
    used = {name for layer in network.layers for name in layer.tensors}
    for name in network.tensors:
        if name not in used:
            raise ValueError(f"tensor {name!r} belongs to no layer")


def _check_layer(network: Network, layer) -> None:
    edges = [network.edge(layer, index) for index in range(len(layer.inputs))]
    shape = output_shape(layer, [edge.shape for edge in edges])
    if shape != layer.output.shape:
        raise ValueError(f"its output is {layer.output.shape}, its inputs make {shape}")
    if layer.kind in ("maxpool", "shuffle", "concat", "split", "flatten", "output"):
        for edge in edges:
            if (edge.bits, edge.signed) != (layer.output.bits, layer.output.signed):
                raise ValueError("changes the bits or the sign of its input")
    _check_bipolar(layer, edges)
    channels = layer.output.shape[0]
    if layer.kind in ("conv", "linear"):
        _check_weight(network, layer)
    if layer.kind == "input":
        if layer.full:
            _check_parameters(network, layer.full, channels, residual=False)
        return
    if getattr(layer, "full", None) is None:
        return
    residual = layer.kind == "add" or (layer.kind == "conv" and layer.residual is not None)
    _check_parameters(network, layer.full, channels, residual=residual)
    if not layer.output.lo <= layer.lo < layer.hi <= layer.output.hi:
        raise ValueError(
            f"clamps to {layer.lo} … {layer.hi}, its output holds {layer.output.lo} … "
            f"{layer.output.hi}"
        )
    if layer.kind == "conv" and layer.gate:
        _check_gate(network, layer, edges[0])


def _check_bipolar(layer, edges) -> None:
    """Edges of -1 and 1 have no zero, so nobody can add them up or pad them with nothing."""
    added = edges[1:] if layer.kind == "conv" else edges
    if layer.kind in ("conv", "add", "avgpool", "global_avgpool"):
        if any(edge.bipolar for edge in added):
            raise ValueError("adds an edge of -1 and 1; only products of those are possible")
    if layer.output.bipolar and hasattr(layer, "lo") and (layer.lo, layer.hi) != (-1, 1):
        raise ValueError(f"clamps to {layer.lo} … {layer.hi}, its output is -1 or 1")


def _check_weight(network: Network, layer) -> None:
    limit = (1 << (layer.weight_bits - 1)) - 1 or 1
    kind = weight_type(layer.weight_bits)
    _integers(network, layer.weight, layer.weight_shape, kind, -limit, limit)
    if layer.weight_bits == 1 and not network.weight(layer).all():
        raise ValueError(f"tensor {layer.weight!r} holds 0, weights of one bit are -1 or 1")


def _check_parameters(network, parameters: Parameters, channels: int, *, residual: bool) -> None:
    if residual != (parameters.Mb is not None):
        raise ValueError("has Mb exactly when something is added; here one is there, one is not")
    limits = network.graph.limits
    top = 1 << (limits.multiplier_bits - 1)
    _integers(network, parameters.M, (channels,), np.int32, -top, top - 1)
    top = 1 << (limits.sum_bits - 1)
    _integers(network, parameters.B, (channels,), np.int64, -top, top - 1)
    _integers(network, parameters.S, (channels,), np.uint8, 1, limits.shift_max)
    if parameters.Mb is not None:
        top = 1 << (limits.residual_multiplier_bits - 1)
        _integers(network, parameters.Mb, (channels,), np.int32, -top, top - 1)


def _check_gate(network: Network, layer, edge) -> None:
    gate = layer.gate
    _integers(network, gate.theta, (layer.out_channels,), np.int32, -(1 << 31), (1 << 31) - 1)
    _check_parameters(network, gate.base, layer.out_channels, residual=layer.residual is not None)
    if gate.high_bits is not None and gate.high_bits >= edge.bits:
        raise ValueError(f"the gate takes {gate.high_bits} high bits of {edge.bits}")
    if gate.kind == "precision":
        return
    channels = layer.in_channels // layer.groups
    if layer.out_channels % len(gate.starts):
        raise ValueError(f"{len(gate.starts)} gate runs do not divide {layer.out_channels} outputs")
    if max(gate.starts) + gate.count > channels:
        raise ValueError(
            f"the gate's base reaches beyond the {channels} input channels of an output"
        )


def _integers(network: Network, name: str, shape, kind, lo: int, hi: int) -> None:
    if name not in network.tensors:
        raise ValueError(f"tensor {name!r} is missing")
    array = network.tensors[name]
    if array.shape != tuple(shape) or array.dtype != kind:
        raise ValueError(
            f"tensor {name!r} is {array.dtype}{list(array.shape)}, "
            f"it must be {np.dtype(kind)}{list(shape)}"
        )
    if array.size and (int(array.min()) < lo or int(array.max()) > hi):
        raise ValueError(
            f"tensor {name!r} holds {int(array.min())} … {int(array.max())}, accepted: {lo} … {hi}"
        )
