"""What training asks of data: images by index, as bytes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch

from hwgen.errors import UserError

__all__ = ["Dataset", "InMemory", "Source", "Subset", "read_file", "whole_number"]


class Source(Protocol):
    """Images and labels by index."""

    def __len__(self) -> int: ...

    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(uint8 images N×C×H×W, int64 labels N)."""


@dataclass(frozen=True)
class InMemory:
    """A source that lies in memory: ``images`` uint8 N×C×H×W, ``labels`` int64 N."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.images[indices], self.labels[indices]


@dataclass(frozen=True)
class Subset:
    """The images of ``source`` whose indices are in ``indices``, in that order."""

    source: Source
    indices: torch.Tensor

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.source.batch(self.indices[indices])


@dataclass(frozen=True)
class Dataset:
    """Images to train with and images to test with, of one shape (C, H, W).

    ``validation``, if not None, was held out of ``train``: to choose by, so that the test images
    decide nothing.
    """

    name: str
    train: Source
    test: Source
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    validation: Source | None = None

    def holding_out(self, count: int) -> "Dataset":
        """The same with ``count`` images to train with held out, the same ones each time."""
        if count >= len(self.train):
            total = len(self.train)
            raise UserError(f"data.validation: must be less than {total}, not {count}")
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(0))
        kept, held = order[count:].sort().values, order[:count].sort().values
        return replace(self, train=Subset(self.train, kept), validation=Subset(self.train, held))


def whole_number(name: str, value, least: int) -> int:
    """``value`` of ``data.options.name`` if it is an integer of at least ``least``."""
    if type(value) is not int or value < least:
        raise UserError(f"data.options.{name}: must be an integer from {least}, not {value!r}")
    return value


def read_file(path: Path, expected: int | None = None) -> bytes:
    """The bytes of a data file; a user's error if it is missing or not ``expected`` bytes long."""
    if not path.is_file():
        wanted = "" if expected is None else f" (expected {expected} bytes)"
        raise UserError(f"{path}: no such file{wanted}")
    content = path.read_bytes()
    if expected is not None and len(content) != expected:
        raise UserError(f"{path}: {len(content)} bytes, expected {expected}")
    return content
