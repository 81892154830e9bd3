"""Images that a command runs."""

from pathlib import Path

from hwgen.errors import UserError

__all__ = ["input_images"]


def input_images(network, path: Path | None, count: int | None):
    """The first ``count`` images of a file or of the folder of a test set as integers for
    ``network``, and their labels or None; random ones, four by default, if there is no ``path``.
    """
    import numpy as np

    from models.images import load_images, load_test_set
    from models.reference import prepare

    edge = network.input.output
    if path is None:
        rng, shape = np.random.default_rng(0), (count or 4, *edge.shape)
        if edge.bipolar:
            return rng.choice([edge.lo, edge.hi], shape), None
        return rng.integers(edge.lo, edge.hi + 1, shape), None
    loaded = (load_test_set if path.is_dir() else load_images)(path, count)
    images = loaded.images
    if images.dtype == np.uint8:
        try:
            return prepare(network, images), loaded.labels
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
    if images.shape[1:] != edge.shape:
        raise UserError(
            f"{path}: images are {list(images.shape[1:])}, network {network.name} takes "
            f"{list(edge.shape)}"
        )
    integers = images.astype(np.int64)
    if (integers != images).any():
        raise UserError(f"{path}: holds real numbers; accepted are bytes (uint8) and integers")
    if integers.min() < edge.lo or integers.max() > edge.hi:
        raise UserError(
            f"{path}: holds {integers.min()} … {integers.max()}, network {network.name} takes "
            f"{edge.lo} … {edge.hi}"
        )
    return integers, loaded.labels
