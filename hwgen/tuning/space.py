"""What there is to choose: a mode of the array for each layer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hwgen.errors import UserError
from hwgen.rtl.mac import Mode
from models.netfile import Network

from .narrowing import families

__all__ = ["Space", "Widths"]

Widths = tuple[Mode, ...]
"""A mode for each layer of a :class:`Space`, in its order."""


@dataclass(frozen=True)
class Space:
    """The layers whose widths can be chosen, and the modes that each can have, widest first.

    A layer has no choice if its weights have one bit, its input is -1 and 1 or the high bits of its
    input are gated by: those were trained for their widths.
    """

    network: Network
    options: Mapping[str, tuple[Mode, ...]]

    @classmethod
    def of(cls, network: Network, modes: Iterable[Mode], source: str) -> "Space":
        """The choices of ``network`` among ``modes``; ``source`` is where they come from."""
        modes, family = sorted(modes, reverse=True), families(network)
        fixed = {family[network.input.name], *_gated_by_bits(network, family)}
        options = {}
        for layer in network.layers:
            if layer.kind not in ("conv", "linear"):
                continue
            edge = network.edge(layer)
            held = edge.bits if family[layer.inputs[0]] in fixed else 2
            if layer.weight_bits == 1 or edge.bipolar or _high_bits(layer):
                continue
            found = {}
            for mode in modes:
                if mode.activations < held or min(mode.activations, mode.weights) < 2:
                    continue
                least = min(mode.activations, edge.bits), min(mode.weights, layer.weight_bits)
                found.setdefault(Mode(*least))
            if not found:
                there = ", ".join(map(str, modes))
                raise UserError(
                    f"layer {layer.name}: reads {edge.bits} bits; {source} has {there or 'nothing'}"
                )
            options[layer.name] = tuple(found)
        if all(len(choices) == 1 for choices in options.values()):
            there = ", ".join(map(str, modes))
            raise UserError(f"{source}: with {there} there is nothing to choose")
        return cls(network, options)

    @property
    def widest(self) -> Widths:
        """Every layer as it is, or as near to it as the modes come."""
        return tuple(choices[0] for choices in self.options.values())

    def with_layer(self, widths: Widths, name: str, mode: Mode) -> Widths:
        """``widths`` with another mode for one layer."""
        return tuple(
            mode if layer == name else old for layer, old in zip(self.options, widths, strict=True)
        )

    def bits(self, widths: Widths) -> tuple[dict[str, int], dict[str, int]]:
        """Bits of weights by layer, and of edges by family: as many as their widest reader takes.

        Edges that another kind of layer computes with, and no chosen one reads, stay.
        """
        family, edges = families(self.network), {}
        for name, mode in zip(self.options, widths, strict=True):
            source = self.network.layer(name).inputs[0]
            key = family[source]
            known = self.network.layer(source).output.bits
            edges[key] = max(edges.get(key, 0), min(mode.activations, known))
        for layer in self.network.layers:
            if layer.kind in ("conv", "linear") and layer.name not in self.options:
                edges.pop(family[layer.inputs[0]], None)
        edges.pop(family[self.network.input.name], None)
        return {n: m.weights for n, m in zip(self.options, widths, strict=True)}, edges

    def table(self, widths: Widths) -> dict[str, str]:
        """The widths by name, for people and files."""
        return {name: str(mode) for name, mode in zip(self.options, widths, strict=True)}


def _high_bits(layer) -> bool:
    gate = getattr(layer, "gate", None)
    return gate is not None and getattr(gate, "high_bits", None) is not None


def _gated_by_bits(network: Network, family: Mapping[str, str]) -> set[str]:
    return {family[layer.inputs[0]] for layer in network.layers if _high_bits(layer)}
