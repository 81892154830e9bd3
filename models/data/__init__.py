"""Data sets from a folder that the user names, and one that is computed."""

from pathlib import Path

from hwgen.errors import UserError
from models.data import cifar10, fashion_mnist, generated, imagenet
from models.data.augment import augmented
from models.data.source import Dataset, InMemory, Source, Subset

__all__ = ["DATASETS", "Dataset", "InMemory", "Source", "Subset", "augmented", "load_dataset"]

DATASETS = ("fashion-mnist", "cifar10", "imagenet", "generated")


def load_dataset(name: str, folder: Path | str | None = None, **options) -> Dataset:
    """The data set ``name`` from ``folder``; ``generated`` needs none and takes ``options``."""
    if name not in DATASETS:
        raise UserError(f"data.name: must be one of {', '.join(DATASETS)}, not {name!r}")
    if name == "generated":
        return generated.load(**options)
    if folder is None:
        raise UserError(f"data: {name} needs the folder it lies in: --data DIR")
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected {name} in its standard layout")
    loader = {"fashion-mnist": fashion_mnist, "cifar10": cifar10, "imagenet": imagenet}[name]
    return loader.load(folder, **options)
