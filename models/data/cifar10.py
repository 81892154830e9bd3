"""CIFAR-10 in its binary layout: records of a label byte and 3,072 bytes, red, green, blue."""

from pathlib import Path

import numpy as np
import torch

from hwgen.errors import UserError
from models.data.source import Dataset, InMemory, read_file

__all__ = ["CLASSES", "load"]

CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
RECORD = 1 + 3 * 32 * 32
RECORDS = 10_000


def _part(folder: Path, names: list[str]) -> InMemory:
    content = b"".join(read_file(folder / f"{name}.bin", RECORD * RECORDS) for name in names)
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = torch.from_numpy(records[:, 0].astype(np.int64))
    if labels.max() >= len(CLASSES):
        raise UserError(f"{folder / names[0]}.bin: label {int(labels.max())}, expected 0 to 9")
    images = records[:, 1:].reshape(-1, 3, 32, 32)
    return InMemory(torch.from_numpy(images.copy()), labels)


def load(folder: Path) -> Dataset:
    """The data set in ``folder``, or in its ``cifar-10-batches-bin``."""
    inner = folder / "cifar-10-batches-bin"
    folder = inner if inner.is_dir() else folder
    train = _part(folder, [f"data_batch_{i}" for i in range(1, 6)])
    return Dataset("cifar10", train, _part(folder, ["test_batch"]), CLASSES, (3, 32, 32))
