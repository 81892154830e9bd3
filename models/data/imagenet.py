"""Images in folders, one folder a class, as ImageNet is laid out: ``train/CLASS/*``,
``val/CLASS/*``.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from hwgen.errors import UserError
from models.data.source import Dataset, whole_number

__all__ = ["Folder", "load"]

SUFFIXES = {".jpeg", ".jpg", ".png", ".webp", ".bmp"}


@dataclass(frozen=True)
class Folder:
    """A source that decodes files: the shorter side is scaled to ``size · 8/7``, the middle cut
    out.
    """

    paths: tuple[Path, ...]
    labels: torch.Tensor
    size: int
    pool: ThreadPoolExecutor = field(default_factory=ThreadPoolExecutor, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.paths)

    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        images = list(self.pool.map(self._read, indices.tolist()))
        return torch.from_numpy(np.stack(images)), self.labels[indices]

    def _read(self, index: int) -> np.ndarray:
        from PIL import Image

        path = self.paths[index]
        try:
            with Image.open(path) as file:
                image = file.convert("RGB")
        except OSError as error:
            size = path.stat().st_size if path.exists() else 0
            raise UserError(f"{path}: not a readable image ({size} bytes: {error})") from None
        scale = self.size * 8 / 7 / min(image.size)
        width, height = (max(self.size, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        left, top = (width - self.size) // 2, (height - self.size) // 2
        image = image.crop((left, top, left + self.size, top + self.size))
        return np.asarray(image).transpose(2, 0, 1)


def _part(folder: Path, classes: list[str], size: int) -> Folder:
    paths, labels = [], []
    for label, name in enumerate(classes):
        files = (folder / name).iterdir() if (folder / name).is_dir() else ()
        found = sorted(f for f in files if f.suffix.lower() in SUFFIXES)
        paths += found
        labels += [label] * len(found)
    if not paths:
        raise UserError(f"{folder}: no images in folders of classes")
    return Folder(tuple(paths), torch.tensor(labels), size)


def load(folder: Path, size: int = 224) -> Dataset:
    """The images below ``folder``; the class folders of ``train`` name the classes."""
    whole_number("size", size, 1)
    train = folder / "train"
    if not train.is_dir():
        raise UserError(f"{train}: no such folder; expected train/CLASS/* and val/CLASS/*")
    classes = sorted(path.name for path in train.iterdir() if path.is_dir())
    parts = _part(train, classes, size), _part(folder / "val", classes, size)
    return Dataset("imagenet", *parts, tuple(classes), (3, size, size))
