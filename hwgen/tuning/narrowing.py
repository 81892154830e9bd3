"""A network of integers with fewer bits in some of its layers.

Nothing is trained. The steps of weights (one for each output channel) and of edges (one for each)
are chosen for the least mean square error; M, B, S and theta follow from them.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from models.calibration import Histogram, clip
from models.export.fixed_point import fixed_point
from models.netfile import Network, accumulator_range, check, prove_bounds, round_half_up
from models.reference import run

__all__ = ["Narrower", "families"]

MOVING = ("maxpool", "shuffle", "concat", "split", "flatten", "output")
"""Kinds whose result has the integers of its inputs."""

STEPS = np.linspace(0.3, 1.0, 36)
"""Steps of weights that are tried, in units of the one that clips nothing."""


def families(network: Network) -> dict[str, str]:
    """For each layer a representative of those whose results must have one step and one width."""
    parent = {layer.name: layer.name for layer in network.layers}

    def find(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for layer in network.layers:
        if layer.kind in MOVING:
            for source in layer.inputs:
                parent[find(layer.name)] = find(source)
    return {name: find(name) for name in parent}


class Narrower:
    """Gives versions of ``network`` with fewer bits; ``images`` (integers) say what edges hold."""

    def __init__(self, network: Network, images: np.ndarray):
        self._network, self._family = network, families(network)
        self._seen = {family: Histogram() for family in set(self._family.values())}
        taps = run(network, images, taps=True).taps
        for layer in network.layers:
            if layer.kind not in MOVING:
                self._seen[self._family[layer.name]].observe(taps[layer.name].astype(np.float32))
        self._weights: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = {}

    def network(self, weight_bits: Mapping[str, int], edge_bits: Mapping[str, int]) -> Network:
        """The network with ``weight_bits`` of layers and ``edge_bits`` of families of edges; what
        is not named stays.

        Raises
        ------
        ValueError
            If the parameters of a layer cannot be expressed; it names the layer.
        """
        before = self._network
        wider = [layer.name for layer in before.layers if self._widens(layer, edge_bits)]
        if wider:
            raise ValueError(f"layer {wider[0]!r} has fewer bits than are asked for")
        ratios = {name: self._ratio(name, edge_bits) for name in before.by_name}
        tensors, units, layers = dict(before.tensors), {}, []
        for layer in before.layers:
            changed = self._edge(layer, edge_bits.get(self._family[layer.name]), ratios)
            bits = weight_bits.get(layer.name, getattr(layer, "weight_bits", None))
            if bits != getattr(layer, "weight_bits", None):
                tensors[layer.weight], units[layer.name] = self._narrow_weights(layer, bits)
                changed["weight_bits"] = bits
            layers.append(layer.model_copy(update=changed))
        graph = before.graph.model_copy(update={"layers": tuple(layers)})
        draft = replace(before, graph=graph, tensors=tensors)
        for layer in draft.layers:
            if layer.kind != "input" and getattr(layer, "full", None) is not None:
                self._parameters(draft, layer, ratios, units.get(layer.name, 1.0), tensors)
        check(draft)
        prove_bounds(draft)
        return draft

    def _widens(self, layer, edge_bits) -> bool:
        return edge_bits.get(self._family[layer.name], 0) > layer.output.bits

    def _ratio(self, name: str, edge_bits) -> float:
        """The new step of an edge in units of the old one."""
        edge, family = self._network.layer(name).output, self._family[name]
        bits = edge_bits.get(family, edge.bits)
        if bits == edge.bits:
            return 1.0
        top = (1 << bits - edge.signed) - 1
        return clip(self._seen[family], "mse", bits, signed=edge.signed) / top

    def _edge(self, layer, bits: int | None, ratios) -> dict:
        """What changes in a layer whose result gets ``bits`` bits."""
        edge, ratio = layer.output, ratios[layer.name]
        if bits is None or bits == edge.bits:
            return {}
        scale = None if edge.scale is None else edge.scale * ratio
        output = edge.model_copy(update={"bits": bits, "scale": scale})
        if not hasattr(layer, "lo"):
            return {"output": output}
        lo = output.lo if layer.lo == edge.lo else int(round_half_up(layer.lo / ratio))
        hi = output.hi if layer.hi == edge.hi else int(round_half_up(layer.hi / ratio))
        lo = min(max(lo, output.lo), output.hi - 1)
        return {"output": output, "lo": lo, "hi": min(max(hi, lo + 1), output.hi)}

    def _narrow_weights(self, layer, bits: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights of ``bits`` bits, and their step for each output channel in units of the old."""
        if (layer.name, bits) not in self._weights:
            old = self._network.weight(layer)
            rows, top = old.reshape(len(old), -1).astype(np.float64), (1 << bits - 1) - 1
            largest = np.maximum(np.abs(rows).max(1), 1) / top
            best, error = np.ones(len(rows)), np.full(len(rows), np.inf)
            for part in STEPS:
                step = (largest * part)[:, None]
                wrong = rows - round_half_up(rows / step).clip(-top, top) * step
                square = (wrong**2).sum(1)
                best = np.where(square < error, step[:, 0], best)
                error = np.minimum(square, error)
            integers = round_half_up(rows / best[:, None]).clip(-top, top)
            self._weights[layer.name, bits] = integers.astype(old.dtype).reshape(old.shape), best
        return self._weights[layer.name, bits]

    def _parameters(self, draft: Network, layer, ratios, unit, tensors) -> None:
        """Put new parameters of ``layer`` into ``tensors``, if they change. ``unit`` is the step of
        its weights in old ones.
        """
        out, source = ratios[layer.name], ratios[layer.inputs[0]]
        added = ratios[layer.inputs[1]] if len(layer.inputs) == 2 else 1.0
        unit = unit * source
        if np.all(unit == 1.0) and out == added == 1.0:
            return
        acc = accumulator_range(draft, layer)
        gate = getattr(layer, "gate", None)
        for names in (layer.full, *([gate.base] if gate else [])):
            scale = 2.0 ** -tensors[names.S].astype(np.float64)
            fields = {}
            if names.Mb is not None:
                edge = draft.edge(layer, 1)
                gain_b = tensors[names.Mb] * scale * added / out
                fields = {"gain_b": gain_b, "b": (edge.lo, edge.hi)}
            gain, shift = tensors[names.M] * scale * unit / out, tensors[names.B] * scale / out
            try:
                found = fixed_point(gain, shift, (acc.lo, acc.hi), draft.graph.limits, **fields)
            except ValueError as error:
                raise ValueError(f"layer {layer.name!r}: {error}") from None
            for key, values in found.items():
                name = getattr(names, key)
                tensors[name] = values.astype(tensors[name].dtype)
        if gate:
            theta = np.floor(tensors[gate.theta] / unit)
            tensors[gate.theta] = theta.clip(-(2**31), 2**31 - 1).astype(np.int32)
