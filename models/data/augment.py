"""Augmentation of a batch of bytes, drawn from a generator and from nothing else."""

import torch
from torch.nn import functional as F

__all__ = ["augmented"]


def augmented(
    images: torch.Tensor, *, flip: bool, crop: int, generator: torch.Generator
) -> torch.Tensor:
    """Each image mirrored with probability 1/2 (``flip``) and shifted by up to ``crop`` pixels."""
    if flip:
        mirrored = torch.rand(len(images), generator=generator) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    if crop:
        height, width = images.shape[2:]
        padded = F.pad(images, (crop,) * 4)
        top, left = torch.randint(0, 2 * crop + 1, (2, len(images)), generator=generator)
        rows = (top[:, None] + torch.arange(height))[:, None, :, None]
        columns = (left[:, None] + torch.arange(width))[:, None, None, :]
        channel = torch.arange(images.shape[1])[None, :, None, None]
        images = padded[torch.arange(len(images))[:, None, None, None], channel, rows, columns]
    return images
