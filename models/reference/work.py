"""How much work the gates of a network left over, counted from a run of the reference."""

from dataclasses import dataclass

from models.netfile import Network

from .engine import Result

__all__ = ["LayerWork", "work"]


@dataclass(frozen=True)
class LayerWork:
    """Multiplications of one layer for one image, on average.

    ``dense`` counts all of them, ``done`` those of the base pass and of the outputs that fired. A
    precision gate saves bits of a multiplication; ``done`` counts it as the part ``bits done /
    bits``.
    """

    name: str
    gate: str | None
    dense: int
    base: float
    done: float
    density: float

    @property
    def reduction(self) -> float:
        """How many times fewer than dense."""
        return self.dense / self.done


def base_fraction(network: Network, layer) -> float:
    """The part of a convolution's work that its base pass does; 1 without a gate."""
    if layer.kind != "conv" or layer.gate is None:
        return 1.0
    high = layer.gate.high_bits
    part = 1.0 if high is None else high / network.edge(layer).bits
    if layer.gate.kind == "channel":
        part *= layer.gate.count / (layer.in_channels // layer.groups)
    return part


def work(result: Result) -> list[LayerWork]:
    """Work of each convolution and fully connected layer of a run, in order."""
    rows = []
    for layer in result.network.layers:
        if layer.kind not in ("conv", "linear"):
            continue
        part = base_fraction(result.network, layer)
        gate = layer.gate if layer.kind == "conv" else None
        density = result.density(layer.name) if gate else 1.0
        base = part * layer.macs
        done = base + (layer.macs - base) * density
        kind = gate.kind if gate else None
        rows.append(LayerWork(layer.name, kind, layer.macs, base, done, density))
    return rows
