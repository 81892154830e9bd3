"""Images that users name on a command line: NumPy arrays, the IDX files of MNIST and its kin, and
the folders of test sets.
"""

import gzip
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgen.errors import UserError

__all__ = ["Images", "load_images", "load_test_set"]

TEST_SETS = (
    "t10k-images-idx3-ubyte.gz",
    "t10k-images-idx3-ubyte",
    "test_batch.bin",
    "cifar-10-batches-bin/test_batch.bin",
)
"""Where the test images of MNIST and its kin, and of CIFAR-10, lie in their folder."""

CIFAR10_SHAPE = (3, 32, 32)


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


def load_test_set(folder: Path, count: int | None = None) -> Images:
    """The first ``count`` test images, with labels, of a data set in its standard layout."""
    for name in TEST_SETS:
        path = folder / name
        if path.is_file():
            return _cifar10(path, count) if path.suffix == ".bin" else load_images(path, count)
    raise UserError(f"{folder}: holds none of {', '.join(TEST_SETS)}")


def _cifar10(path: Path, count: int | None) -> Images:
    """Records of a label byte and an image, red, green, blue."""
    data, record = path.read_bytes(), 1 + int(np.prod(CIFAR10_SHAPE))
    if not data or len(data) % record:
        raise UserError(f"{path}: {len(data)} bytes, must be a multiple of {record}")
    records = np.frombuffer(data, np.uint8).reshape(-1, record)[:count]
    return Images(records[:, 1:].reshape(-1, *CIFAR10_SHAPE), records[:, 0].astype(np.int64))


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
