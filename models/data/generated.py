"""A data set that is computed, so that everything runs with no data at all.

Each class is a shape (disc, ring, square, cross, stripes of six directions) at a random place and
size, on a noisy ground with a distractor. Easy enough for a small network, and most of an image is
ground, so that gates have something to skip.
"""

import numpy as np
import torch

from hwgen.errors import UserError
from models.data.source import Dataset, InMemory, whole_number

__all__ = ["CLASSES", "load"]

CLASSES = ("disc", "ring", "square", "cross") + tuple(f"stripes-{a}" for a in range(0, 180, 30))


def _shape(label: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Brightness 0 … 1 of a shape of radius 1 at the coordinates (u, v)."""
    radius = np.hypot(u, v)
    if label == 0:
        return radius < 1
    if label == 1:
        return (radius < 1) & (radius > 0.6)
    if label == 2:
        return np.maximum(abs(u), abs(v)) < 0.85
    if label == 3:
        return (np.minimum(abs(u), abs(v)) < 0.3) & (np.maximum(abs(u), abs(v)) < 1)
    angle = np.pi / 6 * (label - 4)
    return (radius < 1) & (np.sin(7 * (u * np.cos(angle) + v * np.sin(angle))) > 0)


def _images(count: int, shape: tuple[int, int, int], seed: int) -> InMemory:
    rng = np.random.default_rng(seed)
    channels, height, width = shape
    labels = rng.integers(0, len(CLASSES), count)
    images = rng.normal(40, 12, (count, *shape))
    rows, columns = np.mgrid[:height, :width]
    for image, label in zip(images, labels, strict=True):
        size = rng.uniform(0.18, 0.28) * min(height, width)
        y, x = rng.uniform(size, height - size), rng.uniform(size, width - size)
        tint = rng.uniform(100, 200, (channels, 1, 1))
        image += tint * _shape(int(label), (columns - x) / size, (rows - y) / size)
    pixels = torch.from_numpy(images.clip(0, 255).astype(np.uint8))
    return InMemory(pixels, torch.from_numpy(labels.astype(np.int64)))


def load(
    train: int = 2048, test: int = 512, shape: tuple[int, int, int] = (1, 28, 28), seed: int = 1
) -> Dataset:
    """``train`` and ``test`` images of ``shape``; the same for the same arguments."""
    for name, count in (("train", train), ("test", test)):
        whole_number(name, count, 1)
    whole_number("seed", seed, 0)
    if not isinstance(shape, list | tuple) or len(shape) != 3:
        raise UserError(f"data.options.shape: must be [channels, rows, columns], not {shape!r}")
    shape = tuple(
        whole_number("shape", size, least) for size, least in zip(shape, (1, 8, 8), strict=True)
    )
    parts = _images(train, shape, 2 * seed), _images(test, shape, 2 * seed + 1)
    return Dataset("generated", *parts, CLASSES, shape)
