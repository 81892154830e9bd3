"""Networks and images that ship with the project, and networks of random integers for its tests.

``fashion_small.safetensors`` is what ``make train-demo`` and ``hwgen export`` make of
``models/configs/fashion_small.toml``; its ``info`` says what it reaches. ``fashion_mixed`` (8, 4
and 2 bits), ``fashion_ternary`` (weights of -1, 0 and 1), ``fashion_pg43`` and ``fashion_pg32``
(precision gating) and ``fashion_binary`` (±1) come from the configurations of the same names,
after as many steps as their ``info`` says (``docs/results/widths.md``).
``fashion_sample.npz`` holds the first 128 test images of Fashion-MNIST (MIT licence,
``fashion_sample.LICENSE``).
"""

from pathlib import Path

import numpy as np

from hwgen.errors import UserError
from models.netfile import Network, load

__all__ = ["fashion_sample", "load_shipped", "shipped", "shipped_names"]

_FOLDER = Path(__file__).parent


def shipped_names() -> list[str]:
    """Names of the networks that ship."""
    return sorted(path.stem for path in _FOLDER.glob("*.safetensors"))


def shipped(name: str) -> Path:
    """The file of a network that ships."""
    if name not in shipped_names():
        raise UserError(f"network must be one of {', '.join(shipped_names())}, not {name!r}")
    return _FOLDER / f"{name}.safetensors"


def load_shipped(name: str) -> Network:
    """A network that ships."""
    return load(shipped(name))


def fashion_sample() -> tuple[np.ndarray, np.ndarray]:
    """(images 128×1×28×28 as bytes, labels) of Fashion-MNIST's test set."""
    with np.load(_FOLDER / "fashion_sample.npz", allow_pickle=False) as archive:
        return archive["images"], archive["labels"]
