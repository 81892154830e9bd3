"""What the gates of a network did with some images: counts, work saved, correlation of base and
full result.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

from models.layers.convert import gated_layers
from models.layers.gated import GatedConv2d

__all__ = ["LayerWork", "recording", "reduction"]


@dataclass
class LayerWork:
    """One gated layer, summed over the images it saw.

    ``products`` is the number of products in a whole dot product, ``fraction`` the part that the
    base pass does. For precision gating work counts activation bits: a base product costs
    ``fraction`` of a whole one.
    """

    name: str
    products: int
    fraction: float
    outputs: int = 0
    fired: int = 0
    images: int = 0
    fired_by_channel: torch.Tensor | None = None
    fired_by_image: list[torch.Tensor] = field(default_factory=list)
    moments: torch.Tensor = field(default_factory=lambda: torch.zeros(5, dtype=torch.float64))

    @torch.no_grad()
    def __call__(self, layer: GatedConv2d, base, full, fired) -> None:
        batch = fired.flatten(2).sum(dim=2)
        self.outputs += fired.numel()
        self.images += len(fired)
        self.fired += int(batch.sum())
        channels = batch.sum(dim=0).cpu()
        known = self.fired_by_channel
        self.fired_by_channel = channels if known is None else known + channels
        self.fired_by_image.append(batch.sum(dim=1).cpu())
        b, f = base.double().cpu(), full.double().cpu()
        self.moments += torch.stack(
            [b.sum(), f.sum(), b.square().sum(), f.square().sum(), (b * f).sum()]
        )

    @property
    def density(self) -> float:
        """Part of the outputs that the gate let through."""
        return self.fired / max(1, self.outputs)

    @property
    def macs(self) -> float:
        """Products of one image if nothing were skipped."""
        return self.outputs * self.products / max(1, self.images)

    @property
    def macs_done(self) -> float:
        """Products of one image that base and conditional pass do."""
        return self.macs * (self.fraction + (1 - self.fraction) * self.density)

    @property
    def reduction(self) -> float:
        """1 / (1/p + (1 - 1/p)(1 - S)), S the skipped fraction."""
        return 1 / (self.fraction + (1 - self.fraction) * self.density)

    @property
    def correlation(self) -> float:
        """Pearson correlation of base and full results over all outputs."""
        b, f, bb, ff, bf = (self.moments / max(1, self.outputs)).tolist()
        spread = max((bb - b * b) * (ff - f * f), 1e-30) ** 0.5
        return (bf - b * f) / spread

    def average_bits(self, bits: int) -> float:
        """B_avg = B_hb + (1 - Sp)(B - B_hb) of a precision gate over ``bits``-bit activations."""
        high = self.fraction * bits
        return high + self.density * (bits - high)


@contextmanager
def recording(model: nn.Module) -> Iterator[dict[str, LayerWork]]:
    """Record what the gated layers do while the context lasts: {layer name: LayerWork}."""
    layers = gated_layers(model)
    works = {
        name: LayerWork(name, layer.weight[0].numel(), layer.base_fraction)
        for name, layer in layers.items()
    }
    before = {name: layer.recorder for name, layer in layers.items()}
    for name, layer in layers.items():
        layer.recorder = works[name]
    try:
        yield works
    finally:
        for name, layer in layers.items():
            layer.recorder = before[name]


def reduction(works: dict[str, LayerWork]) -> float:
    """How many times fewer products the gated layers did together; 1.0 without gated layers."""
    whole, done = (sum(getattr(w, f) for w in works.values()) for f in ("macs", "macs_done"))
    return whole / done if done else 1.0
