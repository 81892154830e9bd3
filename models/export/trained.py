"""Export of what this project trained: a run's checkpoint becomes a network file."""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.layers import gated_layers
from models.layers.describe import describe
from models.training.session import load_data, load_run

from .emit import Pixels
from .post_training import Quantized, quantize

__all__ = ["ExportedRun", "export_run", "export_trained"]


def export_trained(model: torch.nn.Module, images, *, pixels: Pixels | None = None, **options):
    """Export a network with the project's gates and quantizers; ``options`` go to ``quantize``.

    What this project trains are classifiers. Steps and ranges are the trained ones; ``images`` only
    decide about edges without a quantizer.
    """
    options = {"classifier": True} | options
    return quantize(model, images, pixels=pixels, describe=describe, **options)


@dataclass(frozen=True)
class ExportedRun:
    """An exported network, the trained one in evaluation mode, and the images to test both with."""

    quantized: Quantized
    model: torch.nn.Module
    images: np.ndarray
    labels: np.ndarray


def export_run(
    run: Path,
    folder: Path | None,
    *,
    calibrate: int = 512,
    test: int | None = None,
    ignore_activity: bool = False,
) -> ExportedRun:
    """Export the run (or checkpoint) ``run`` of ``hwgen train``, whose data lie in ``folder``.

    Networks of ``hwgen train`` are fed with ``byte / 255``. Calibrates on the first images to train
    with and gives the first ``test`` images to test with, or all. ``ignore_activity`` exports gates
    without their activity thresholds, which network files cannot have.
    """
    config, _, _ = load_run(run)
    data = load_data(config, folder)
    config, model, step = load_run(run, data)
    images, _ = data.train.batch(torch.arange(min(calibrate, len(data.train))))
    exported = copy.deepcopy(model)
    if ignore_activity:
        for layer in gated_layers(exported).values():
            layer.activity.zero_()
    quantized = export_trained(
        exported,
        images.numpy(),
        pixels=Pixels((0.0,) * data.shape[0], (1.0,) * data.shape[0]),
        name=config.network.name,
        info={
            "quantized": "in training" if config.quantization else "post-training",
            "data": data.name,
            "seed": config.seed,
            "step": step,
            **_classes(data.classes),
        },
    )
    count = len(data.test) if test is None else min(test, len(data.test))
    images, labels = data.test.batch(torch.arange(count))
    return ExportedRun(quantized, model, images.numpy(), labels.numpy())


def _classes(classes) -> dict[str, str]:
    """Names of the classes as one line of text, if they are few."""
    return {"classes": ", ".join(classes)} if len(classes) <= 100 else {}
