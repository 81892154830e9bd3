"""What the gates of a trained network chose, image by image."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from models.data import Dataset
from models.layers import LayerWork, gated_layers, recording
from models.training.evaluate import pixels

__all__ = ["Choices", "Sample", "observe"]


@dataclass(frozen=True)
class Sample:
    """One image: what the network said, how many times fewer products it took, and where.

    ``maps`` gives for each layer the part of its channels that fired at each position.
    """

    image: np.ndarray
    label: int
    answer: int
    reduction: float
    maps: dict[str, np.ndarray]


@dataclass(frozen=True)
class Choices:
    """All images together, and a few of the easiest and the hardest (least and most work).

    ``pairs`` holds base and full results of some outputs of each layer, (2, n).
    """

    classes: tuple[str, ...]
    accuracy: float
    works: dict[str, LayerWork]
    reductions: np.ndarray
    labels: np.ndarray
    right: np.ndarray
    easy: list[Sample]
    hard: list[Sample]
    pairs: dict[str, np.ndarray]


class _Keeper:
    """A recorder that keeps maps and some base/full pairs."""

    def __init__(self):
        self.map = self.pairs = None

    def __call__(self, layer, base, full, fired):
        self.map = fired.float().mean(dim=1).cpu().numpy()
        pairs = torch.stack([base.flatten(), full.flatten()])
        stride = max(1, pairs.shape[1] // 4000)
        self.pairs = pairs[:, ::stride].cpu().numpy()


@torch.no_grad()
def observe(model: nn.Module, data: Dataset, images: int = 2000, shown: int = 6) -> Choices:
    """Run the test images through ``model``; keep ``shown`` of the easiest and of the hardest."""
    model.eval()
    answers, labels = [], []
    count = min(images, len(data.test))
    with recording(model) as works:
        for indices in torch.arange(count).split(250):
            batch, truth = data.test.batch(indices)
            answers.append(model(pixels(batch, "cpu")).argmax(dim=1))
            labels.append(truth)
    answers, labels = torch.cat(answers), torch.cat(labels)
    whole, done = torch.zeros(count), torch.zeros(count)
    for work in works.values():
        fired = torch.cat(work.fired_by_image) * work.products
        whole += work.macs
        done += work.fraction * work.macs + (1 - work.fraction) * fired
    reductions = whole / done
    order = reductions.argsort(descending=True)
    easy = order[_one_of_each_class_first(labels[order], shown)]
    hardest = order.flip(0)
    hard = hardest[_one_of_each_class_first(labels[hardest], shown)]
    samples, pairs = _samples(model, data, torch.cat([easy, hard]), answers, reductions)
    right = answers == labels
    return Choices(
        data.classes,
        float(right.float().mean()),
        works,
        reductions.numpy(),
        labels.numpy(),
        right.numpy(),
        samples[: len(easy)],
        samples[len(easy) :],
        pairs,
    )


def _one_of_each_class_first(labels: torch.Tensor, count: int) -> list[int]:
    """Places of ``count`` labels, early ones, with as many different classes as there are."""
    seen, first, others = set(), [], []
    for place, label in enumerate(labels.tolist()):
        (others if label in seen else first).append(place)
        seen.add(label)
    return (first + others)[:count]


def _samples(model, data, indices, answers, reductions):
    batch, labels = data.test.batch(indices)
    layers = gated_layers(model)
    keepers = {name: _Keeper() for name in layers}
    for name, layer in layers.items():
        layer.recorder = keepers[name]
    try:
        model(pixels(batch, "cpu"))
    finally:
        for layer in layers.values():
            layer.recorder = None
    samples = [
        Sample(
            batch[i].permute(1, 2, 0).numpy(),
            int(labels[i]),
            int(answers[index]),
            float(reductions[index]),
            {name: keeper.map[i] for name, keeper in keepers.items()},
        )
        for i, index in enumerate(indices.tolist())
    ]
    return samples, {name: keeper.pairs for name, keeper in keepers.items()}
