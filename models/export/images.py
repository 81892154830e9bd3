"""Images that users name on a command line: NumPy arrays, or the IDX files of MNIST and its kin."""

import gzip
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgen.errors import UserError

__all__ = ["Images", "load_images"]


@dataclass(frozen=True)
class Images:
    """``images`` (images, channels, rows, columns), bytes or real numbers; ``labels`` if the file
    has them.
    """

    images: np.ndarray
    labels: np.ndarray | None = None


def load_images(path: str | Path, count: int | None = None) -> Images:
    """The first ``count`` images of a file.

    Accepted: ``.npy``; ``.npz`` with ``images`` (or one single array) and perhaps ``labels``; IDX
    (``…-idx3-ubyte``, also ``.gz``; labels are found beside it under MNIST's names). Arrays are (n,
    rows, columns) or (n, channels, rows, columns), of bytes or of real numbers.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: a folder; name the file of images in it (.npy, .npz or IDX)")
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    labels = None
    if path.suffix == ".npy":
        images = _array(path)
    elif path.suffix == ".npz":
        images, labels = _archive(path)
    elif "idx3" in path.name:
        images = _idx(path)
        beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
        labels = _idx(beside) if beside != path and beside.is_file() else None
    else:
        raise UserError(f"{path}: images must be .npy, .npz or IDX (…idx3-ubyte[.gz])")
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4 or not len(images) or images.dtype.kind not in "uif":
        raise UserError(
            f"{path}: holds {images.dtype}{list(images.shape)}, accepted: numbers [n, h, w] or "
            f"[n, c, h, w]"
        )
    if labels is not None and labels.shape != (len(images),):
        raise UserError(f"{path}: {len(images)} images, but labels {list(labels.shape)}")
    if images.dtype != np.uint8:
        images = images.astype(np.float32)
    return Images(images[:count], None if labels is None else labels[:count].astype(np.int64))


def _array(path: Path) -> np.ndarray:
    try:
        return np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{path}: not a whole array of numbers ({error})") from None


def _archive(path: Path):
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            arrays = dict(archive.items())
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path}: not a whole .npz of numbers ({error})") from None
    if "images" not in arrays and len(arrays) != 1:
        raise UserError(f"{path}: holds {', '.join(sorted(arrays))}; 'images' is what is needed")
    images = arrays["images"] if "images" in arrays else next(iter(arrays.values()))
    return images, arrays.get("labels")


def _idx(path: Path) -> np.ndarray:
    """An IDX file of bytes: magic number, one big-endian size for each axis, the bytes."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    if len(data) < 4 or data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise UserError(f"{path}: not an IDX file of bytes")
    shape = tuple(np.frombuffer(data, ">u4", data[3], 4).tolist())
    start, size = 4 + 4 * data[3], int(np.prod(shape, dtype=np.int64))
    if len(data) != start + size:
        raise UserError(
            f"{path}: cut: {len(data)} bytes, {start + size} expected for {list(shape)}"
        )
    return np.frombuffer(data, np.uint8, size, start).reshape(shape)
