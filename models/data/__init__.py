"""Data sets from a folder that the user names, and one that is computed."""

import inspect
from pathlib import Path

from hwgen.errors import UserError
from models.data import cifar10, fashion_mnist, generated, imagenet
from models.data.augment import augmented
from models.data.source import Dataset, InMemory, Source, Subset

__all__ = ["DATASETS", "Dataset", "InMemory", "Source", "Subset", "augmented", "load_dataset"]

LOADERS = {
    "fashion-mnist": fashion_mnist.load,
    "cifar10": cifar10.load,
    "imagenet": imagenet.load,
    "generated": generated.load,
}
DATASETS = tuple(LOADERS)


def load_dataset(name: str, folder: Path | str | None = None, **options) -> Dataset:
    """The data set ``name`` from ``folder``; ``generated`` needs none and takes ``options``."""
    if name not in DATASETS:
        raise UserError(f"data.name: must be one of {', '.join(DATASETS)}, not {name!r}")
    loader = LOADERS[name]
    known = [p for p in inspect.signature(loader).parameters if p != "folder"]
    unknown = next((option for option in options if option not in known), None)
    if unknown is not None:
        accepted = ", ".join(known) or "no options"
        raise UserError(f"data.options: {name} has {accepted}, not {unknown!r}")
    if name == "generated":
        return loader(**options)
    if folder is None:
        raise UserError(f"data: {name} needs the folder it lies in: --data DIR")
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected {name} in its standard layout")
    return loader(folder, **options)
