"""An exported network against the one it was made from, image by image."""

from collections.abc import Callable

import numpy as np
import torch

from models.netfile import round_half_up
from models.reference import run, work

from .post_training import Quantized, normalized

__all__ = ["compare"]


def compare(
    model: torch.nn.Module,
    quantized: Quantized,
    images,
    labels=None,
    *,
    batch: int = 250,
    progress: Callable[[int], None] | None = None,
) -> dict:
    """How often the integers choose the class that ``model`` chooses, and what the gates saved.

    ``agreement`` is the part of equal classes, ``agreement_rounded`` the same after the logits of
    ``model`` are rounded to the edge that stores them (equal largest ones go to the lowest class on
    both sides), ``ties`` the part of images whose largest integer logit is not alone; with
    ``labels`` also the accuracy of both. ``reduction`` is dense over done multiplications of the
    gated layers, ``density`` the part of the outputs of each that fired.
    """
    model.eval()
    results, outputs = [], []
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        results.append(run(quantized.network, quantized.integers(part)))
        with torch.no_grad():
            result, _ = torch.utils._pytree.tree_flatten(model(normalized(part, quantized.pixels)))
        outputs.append(result[0].flatten(1).double().numpy())
        if progress:
            progress(min(start + batch, len(images)))
    real = np.concatenate(outputs)
    logits = np.concatenate([result.logits for result in results])
    expected, found = real.argmax(1), logits.argmax(1)
    edge = quantized.network.outputs[0].output
    offset = quantized.network.graph.info.get("logit_offset", 0.0)
    rounded = round_half_up((real - offset) / edge.scale).clip(edge.lo, edge.hi)
    report = {
        "name": quantized.network.name,
        "images": len(expected),
        "logit_bits": edge.bits,
        "agreement": float(np.mean(expected == found)),
        "agreement_rounded": float(np.mean(rounded.argmax(1) == found)),
        "ties": float(np.mean((logits == logits.max(1, keepdims=True)).sum(1) > 1)),
    }
    if labels is not None:
        report["accuracy"] = float(np.mean(found == np.asarray(labels)))
        report["float_accuracy"] = float(np.mean(expected == np.asarray(labels)))
    return report | _saved(results)


def _saved(results) -> dict:
    """Work of all layers, and of the gated ones against doing all of it."""
    total = [result.images for result in results]
    rows = [work(result) for result in results]
    done, density = {}, {}
    for layer in zip(*rows, strict=True):
        name = layer[0].name
        done[name] = float(np.average([row.done for row in layer], weights=total))
        if layer[0].gate:
            density[name] = float(np.average([row.density for row in layer], weights=total))
    dense = {row.name: row.dense for row in rows[0]}
    saved = {"macs": sum(dense.values()), "done": sum(done.values()), "density": density}
    if density:
        gated = sum(dense[name] for name in density)
        saved |= {"gated_macs": gated, "reduction": gated / sum(done[name] for name in density)}
    return saved
