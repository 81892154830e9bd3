"""Post-training quantization of somebody's network: trace, fuse, calibrate, write integers."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from hwgen.errors import UserError
from models.netfile import Limits, Network
from models.reference import prepare

from .emit import Pixels, emit
from .fuse import fuse
from .interpret import evaluate
from .ir import EdgePlan, FloatGraph
from .leaves import Describe
from .logits import center_logits
from .scales import calibrated, observe
from .trace import trace

__all__ = ["Quantized", "normalized", "quantize"]


_CHECKED = 16
"""Images on which the traced graph is compared with the model."""


@dataclass(frozen=True)
class Quantized:
    """The integer network with what it was made from; ``integers`` turns real images into its
    input.
    """

    network: Network
    graph: FloatGraph
    plans: dict[str, EdgePlan]
    pixels: Pixels | None

    def integers(self, images) -> np.ndarray:
        """Bytes (of a network fed with pixels) or real images as the integers of the input."""
        if self.pixels:
            return prepare(self.network, images)
        plan, edge = self.plans[self.graph.input.name], self.network.input.output
        scaled = np.asarray(images, dtype=np.float64) / plan.scale
        return np.floor(scaled + 0.5).clip(edge.lo, edge.hi).astype(np.int64)


def normalized(images, pixels: Pixels | None) -> torch.Tensor:
    """What the float network is fed with: images as they are, or bytes after ``pixels``."""
    if pixels is None:
        return torch.as_tensor(np.asarray(images), dtype=torch.float32)
    shape = (1, -1, 1, 1)
    mean = np.asarray(pixels.mean, np.float64).reshape(shape)
    std = np.asarray(pixels.std, np.float64).reshape(shape)
    return torch.from_numpy(((np.asarray(images) / 255.0 - mean) / std).astype(np.float32))


def quantize(
    model: torch.nn.Module,
    images,
    *,
    bits: int = 8,
    weight_bits: int | None = None,
    method: str = "mse",
    pixels: Pixels | None = None,
    limits: Limits | None = None,
    name: str | None = None,
    prepare_graph: Callable[[FloatGraph], None] | None = None,
    describe: Describe | None = None,
    classifier: bool = False,
    info: dict | None = None,
    progress: Callable[[int], None] | None = None,
) -> Quantized:
    """Quantize ``model`` with scales calibrated on ``images`` (images, channels, rows, columns).

    ``images`` are real numbers as the model takes them, or bytes if ``pixels`` says how the model
    is fed from them. ``prepare_graph`` may rewrite the fused graph before it is calibrated (outlier
    channel splitting does). ``describe`` knows modules that were trained with gates or quantizers
    (:mod:`models.export.leaves`). ``classifier`` says that only the order of the logits matters, so
    that their eight bits can be spent on it (:func:`models.export.logits.center_logits`); real
    logits are then ``integer * scale + info["logit_offset"]``. UserError names the layer that
    cannot be mapped.
    """
    images = np.asarray(images)
    if images.ndim != 4 or not len(images):
        raise UserError(
            f"images to calibrate with are {list(images.shape)}, accepted: [n, c, h, w]"
        )
    if pixels is not None and images.dtype != np.uint8:
        raise UserError(f"pixels to calibrate with must be bytes (uint8), not {images.dtype}")
    model = copy.deepcopy(model).eval()
    real = normalized(images, pixels)
    graph = trace(model, images.shape[1:], describe)
    _check_same(model, graph, real[:_CHECKED], "tracing")
    fuse(graph)
    if not graph.rescaled:
        _check_same(model, graph, real[:_CHECKED], "fusing")
    if prepare_graph:
        # Gates and splits change results, and mean to.
        prepare_graph(graph)
    try:
        seen = observe(graph, real, progress=progress)
    except ValueError as error:
        raise UserError(str(error)) from None
    plans = calibrated(graph, seen, bits=bits, method=method)
    if pixels is not None:
        plans = _input_of_pixels(graph, plans, pixels)
    info = {"quantized": f"post-training, {bits} bits, {method}", **(info or {})}
    if classifier:
        info["logit_offset"] = center_logits(graph, plans, real)
    network = emit(
        graph,
        plans,
        name=name or type(model).__name__,
        weight_bits=weight_bits or bits,
        limits=limits,
        pixels=pixels,
        info=info,
    )
    return Quantized(network, graph, plans, pixels)


def _input_of_pixels(graph, plans, pixels: Pixels) -> dict[str, EdgePlan]:
    """Without a mean, and with one deviation for all channels, the bytes are the input."""
    if any(pixels.mean) or len(set(pixels.std)) > 1:
        return plans
    source = graph.input.name
    raw = EdgePlan(1 / (255 * pixels.std[0]), 8, False)
    return {name: raw if plan is plans[source] else plan for name, plan in plans.items()}


def _check_same(model, graph: FloatGraph, images: torch.Tensor, step: str) -> None:
    """A traced graph that computes anything else than the model is a bug of ours, and must not
    become a file.
    """
    with torch.no_grad():
        expected, _ = torch.utils._pytree.tree_flatten(model(images))
    found = evaluate(graph, images)
    for a, b in zip(expected, found, strict=True):
        a, b = a.reshape(len(images), -1).double(), b.reshape(len(images), -1).double()
        # The order of classes is all that is kept of a softmax at the end.
        a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
        difference = float((a - b).abs().max() / a.abs().max().clamp(min=1e-6))
        # A rounding that floating point decides otherwise moves an image; a mistake moves many.
        agreement = float((a.argmax(1) == b.argmax(1)).double().mean())
        if difference > 1e-3 and agreement < 0.9:
            raise UserError(
                f"{type(model).__name__}: {step} changed its results by {difference:.2g}; "
                f"it does something that only looks mappable"
            )
