"""Gate decisions that look like those of trained networks: made up, from a seed.

Real masks are lumpy: what fires lies together, some images fire more than others, and a channel
fires much in one image and little in the next. Each output gets a score: a part that all channels
of a position share, a smooth field of the channel, an offset of the channel in this image, one of
the channel in all images, one of the image, and noise; the highest ones fire. The weights of the
parts are such that six layers of a gated ResNet on CIFAR-10 (density 0.2) have the same spread over
positions, channels and images, and the same correlation of neighbours; docs/results/bench.md
compares them.
"""

import numpy as np

from models.netfile import Network

__all__ = ["density_for", "generated_masks", "lumpy"]

CELLS = 5
"""Lumps across an image."""

SHARED, FIELD, IMAGE_CHANNEL, CHANNEL, IMAGE, NOISE = 0.2, 0.75, 0.2, 0.1, 0.06, 0.5


def _smooth(rng: np.random.Generator, count: int, rows: int, columns: int) -> np.ndarray:
    """Fields of ``rows`` x ``columns`` with variance one: noise of CELLS x CELLS, interpolated."""
    cells = rng.standard_normal((count, CELLS + 1, CELLS + 1)).astype(np.float32)
    result = cells
    for axis, size in ((1, rows), (2, columns)):
        at = (np.arange(size) + 0.5) * CELLS / size
        low, part = at.astype(int), (at % 1).astype(np.float32)
        shape = [1, 1, 1]
        shape[axis] = size
        part = part.reshape(shape)
        result = result.take(low, axis) * (1 - part) + result.take(low + 1, axis) * part
    return result / np.maximum(result.std(), 1e-6)


def lumpy(shape: tuple[int, int, int, int], density: float, rng: np.random.Generator) -> np.ndarray:
    """Decisions (image, channel, row, column), of which the part ``density`` fires."""
    images, channels, rows, columns = shape
    if density >= 1:
        return np.ones(shape, bool)
    of_channel = CHANNEL * rng.standard_normal((channels, 1, 1)).astype(np.float32)
    scores = np.empty(shape, np.float32)
    for score in scores:
        score[:] = NOISE * rng.standard_normal((channels, rows, columns), np.float32)
        score += FIELD * _smooth(rng, channels, rows, columns)
        score += SHARED * _smooth(rng, 1, rows, columns)
        score += IMAGE_CHANNEL * rng.standard_normal((channels, 1, 1)).astype(np.float32)
        score += of_channel + IMAGE * float(rng.standard_normal())
    count = round((1 - density) * scores.size)
    if count >= scores.size:
        return np.zeros(shape, bool)
    return scores >= np.partition(scores, count, axis=None)[count]


def density_for(network: Network, reduction: float) -> float:
    """The density of all gated layers at which ``network`` needs ``reduction`` times fewer MACs."""
    total = sum(layer.macs for layer in network.layers)
    gated = {layer: _base_part(network, layer) for layer in network.gated}
    fixed = total - sum(layer.macs for layer in gated)
    base = sum(layer.macs * part for layer, part in gated.items())
    rest = sum(layer.macs * (1 - part) for layer, part in gated.items())
    return (total / reduction - fixed - base) / rest


def _base_part(network: Network, layer) -> float:
    """Part of a layer's products that its base pass computes."""
    return float(network.base_weight_mask(layer).mean())


def generated_masks(
    network: Network, density: float, images: int, seed: int = 0
) -> dict[str, np.ndarray]:
    """Lumpy decisions for every gated layer of ``network``."""
    masks = {}
    for number, layer in enumerate(network.gated):
        rng = np.random.default_rng([seed, number])
        masks[layer.name] = lumpy((images, *layer.output.shape), density, rng)
    return masks
