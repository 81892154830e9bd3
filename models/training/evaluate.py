"""Accuracy, and what the gates did for it."""

from dataclasses import dataclass

import torch
from torch import nn

from models.data import Source
from models.layers import LayerWork, recording, reduction

__all__ = ["Evaluation", "evaluate", "pixels", "products"]


@dataclass(frozen=True)
class Evaluation:
    """Fraction of right answers, loss, and the gated layers' work by name."""

    accuracy: float
    loss: float
    works: dict[str, LayerWork]

    @property
    def reduction(self) -> float:
        """How many times fewer products the gated layers did together."""
        return reduction(self.works)


def pixels(images: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """Bytes as what networks see: 0 … 1, channels last in memory."""
    images = images.to(device).float() / 255
    return images.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def evaluate(model: nn.Module, source: Source, device="cpu", batch: int = 500) -> Evaluation:
    """Run ``model``, in evaluation mode, over all of ``source``."""
    was_training = model.training
    model.eval()
    right, loss = 0, 0.0
    with recording(model) as works:
        for indices in torch.arange(len(source)).split(batch):
            images, labels = source.batch(indices)
            answers, labels = model(pixels(images, device)).float(), labels.to(device)
            right += int((answers.argmax(dim=1) == labels).sum())
            loss += float(nn.functional.cross_entropy(answers, labels, reduction="sum"))
    model.train(was_training)
    return Evaluation(right / len(source), loss / len(source), works)


@torch.no_grad()
def products(model: nn.Module, shape: tuple[int, int, int], device="cpu") -> dict[str, int]:
    """Products of one image in each convolution and linear layer, if nothing is skipped."""
    counts: dict[str, int] = {}
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):

            def count(module, _, result, name=name):
                counts[name] = result[0].numel() * module.weight[0].numel()

            hooks.append(module.register_forward_hook(count))
    was_training = model.training
    model.eval()(torch.zeros(1, *shape, device=device))
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    return counts
