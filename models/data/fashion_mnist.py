"""Fashion-MNIST (and anything else in MNIST's idx files, gzipped or not)."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch

from hwgen.errors import UserError
from models.data.source import Dataset, InMemory, read_file

__all__ = ["CLASSES", "load", "read_idx"]

CLASSES = tuple("t-shirt trouser pullover dress coat sandal shirt sneaker bag ankle-boot".split())


def read_idx(path: Path) -> np.ndarray:
    """The array of bytes in an idx file; ``path`` without ``.gz`` is tried first, then with it."""
    plain = path.is_file()
    found = path if plain else path.with_name(path.name + ".gz")
    if not found.is_file():
        raise UserError(f"{path}: no such file, nor {path.name}.gz")
    content = read_file(found)
    if not plain:
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(
                f"{found}: damaged gzip file of {len(content)} bytes{_begun(content)} ({error})"
            ) from None
    shape = _shape(content)
    if shape is None:
        raise UserError(f"{found}: not an idx file of bytes (begins with {content[:4].hex()!r})")
    expected, size = _size(shape), len(content)
    if size != expected:
        raise UserError(f"{found}: {size} bytes, expected {expected} for an array of {shape}")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape).copy()


def _shape(content: bytes) -> list[int] | None:
    """The axes that the head of an idx file of bytes names."""
    dims = content[3] if len(content) >= 4 else 0
    if len(content) < 4 + 4 * dims or content[:3] != b"\0\0\x08" or not dims:
        return None
    return [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(dims)]


def _size(shape: list[int]) -> int:
    return 4 + 4 * len(shape) + math.prod(shape)


def _begun(compressed: bytes) -> str:
    """How much of an idx file its damaged gzip file still holds, as text for a message."""
    try:
        content = zlib.decompressobj(wbits=31).decompress(compressed)
    except zlib.error:
        return ""
    shape = _shape(content)
    return f" that unpacks to {len(content)} bytes, expected {_size(shape)}" if shape else ""


def _part(folder: Path, prefix: str) -> InMemory:
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte")
    labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte")
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise UserError(
            f"{folder}: {prefix} has images {list(images.shape)} and labels {list(labels.shape)}, "
            "expected N×H×W and N"
        )
    if len(labels) and labels.max() >= len(CLASSES):
        raise UserError(f"{folder}: {prefix} has a label {labels.max()}, expected 0 to 9")
    return InMemory(torch.from_numpy(images)[:, None], torch.from_numpy(labels).long())


def load(folder: Path) -> Dataset:
    """The data set in ``folder``: ``train-`` and ``t10k-`` ``images-idx3-ubyte``, ``labels-…``."""
    train, test = _part(folder, "train"), _part(folder, "t10k")
    if train.images.shape[1:] != test.images.shape[1:]:
        raise UserError(f"{folder}: training and test images differ in size")
    return Dataset("fashion-mnist", train, test, CLASSES, tuple(train.images.shape[1:]))
