"""The benchmark: which networks, batches, memories and densities are measured."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

import hwgen
import models.zoo
from models.images import load_images
from models.netfile import Network
from models.netfile import load as load_network
from models.reference import prepare
from models.reference import run as reference

from ..config import load
from ..simulator.rtl import MemoryModel
from .masks import density_for, generated_masks
from .networks import NETWORKS
from .whole import Case, compare

__all__ = ["BYTES_A_CYCLE", "PARTS", "Subject", "measure", "of_images", "subjects"]

FORMAT = 1
REDUCTION = 2.82
"""Times fewer MACs: channel gating of ResNet-18 on ImageNet, as published (NeurIPS 2019)."""

BYTES_A_CYCLE = (4, 8, 16, 32)
DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
LATENCY = 20
PARTS = ("trained", "cifar", "imagenet")


@dataclass(frozen=True)
class Subject:
    """A network with the decisions of its gates for as many images as a run takes."""

    name: str
    source: str
    network: Network
    masks: dict[str, np.ndarray]
    batch: int
    accuracy: float | None = None


def of_images(network: Network, images: np.ndarray, labels, batch: int) -> Subject:
    """A gated network with the decisions that it takes on the first ``batch`` images."""
    result = reference(network, images, masks=True)
    right = None if labels is None else float((result.classes == labels).mean())
    masks = {name: mask[:batch] for name, mask in result.masks.items()}
    return Subject(network.name, "its own masks", network, masks, batch, right)


def _trained(batch: int) -> Iterator[Subject]:
    """The channel gated networks of the zoo on test images that ship with them.

    Precision gating saves cycles only on units that take them by bits: ``precision_gating``.
    """
    folder = Path(models.zoo.__file__).parent
    for path in sorted(folder.glob("*.safetensors")):
        network = load_network(path)
        sample = folder / f"{path.stem.split('_')[0]}_sample.npz"
        if any(conv.gate.kind == "channel" for conv in network.gated) and sample.is_file():
            images = load_images(sample)
            yield of_images(network, prepare(network, images.images), images.labels, batch)


def _shaped(size: int, batch: int) -> Iterator[Subject]:
    """ResNet-18 and VGG-16 with the published reduction and generated masks."""
    for name, make in NETWORKS.items():
        network = make(size)
        density = density_for(network, REDUCTION)
        masks = generated_masks(network, density, batch)
        source = f"generated masks, density {density:.3f}"
        yield Subject(f"{name} {size}x{size}", source, network, masks, batch)


def subjects(parts: tuple[str, ...], batches: tuple[int, ...]) -> Iterator[Subject]:
    """What is measured, one after the other."""
    for batch in batches:
        if "trained" in parts:
            yield from _trained(batch)
        if "cifar" in parts:
            yield from _shaped(32, batch)
        if "imagenet" in parts:
            yield from _shaped(224, batch)


def _compiled(
    subject: Subject, wide: bool, settings: Sequence[str], say: Callable[[str], None]
) -> tuple[Case, Case]:
    """Gated and dense, for a memory port of 32 bytes if ``wide``, of 16 otherwise."""
    settings = [*settings, *(["bus.data_width=256"] if wide else [])]
    cases = []
    for name in ("cgnet8", "baseline8"):
        say(f"compiling for {name}")
        cases.append(Case.of(subject.network, load(name, settings), subject.masks, subject.batch))
    return tuple(cases)


def measure(
    parts: tuple[str, ...] = PARTS,
    batches: tuple[int, ...] = (1, 16),
    bytes_a_cycle: tuple[int, ...] = BYTES_A_CYCLE,
    densities: tuple[float, ...] = DENSITIES,
    settings: Sequence[str] = (),
    say: Callable[[str], None] = lambda step: None,
    show: Callable[[dict], None] = lambda row: None,
    more: Iterable[Subject] = (),
) -> dict:
    """The whole document: ``runs`` (network x batch x memory) and ``densities`` (a sweep).

    ``settings`` replace fields of both configurations; ``more`` are networks beside ``parts``.
    ``say`` is told each step, ``show`` each run as soon as it is there.
    """
    document = {
        "format": "hwgen-bench",
        "format_version": FORMAT,
        "hwgen_version": hwgen.__version__,
        "latency": LATENCY,
        "settings": list(settings),
        "runs": [],
        "densities": [],
    }
    for subject in chain(more, subjects(parts, batches)):
        for row in _runs(subject, bytes_a_cycle, settings, say):
            document["runs"].append(row)
            show(row)
    document["densities"] = list(_density_sweep(densities, batches, settings, say))
    return document


def _runs(
    subject: Subject,
    bytes_a_cycle: Sequence[int],
    settings: Sequence[str],
    say: Callable[[str], None],
) -> Iterator[dict]:
    """A subject on every memory."""
    name = f"{subject.name}, batch {subject.batch}"
    compiled = {}
    for bandwidth in bytes_a_cycle:
        wide = bandwidth > 16
        if wide not in compiled:
            compiled[wide] = _compiled(subject, wide, settings, lambda step: say(f"{name}: {step}"))
        memory = MemoryModel(LATENCY, bandwidth / (32 if wide else 16))
        say(f"{name}: {bandwidth} bytes a cycle")
        yield {
            "subject": subject.name,
            "masks": subject.source,
            "batch": subject.batch,
            "bytes_a_cycle": bandwidth,
            "density": float(np.mean([mask.mean() for mask in subject.masks.values()])),
            "accuracy": subject.accuracy,
            **compare(*compiled[wide], memory),
        }


def _density_sweep(densities, batches, settings, say) -> Iterator[dict]:
    """Speed-up of the gated layers of ResNet-18 for CIFAR against their density."""
    network = NETWORKS["resnet18"](32)
    memory = MemoryModel(LATENCY)
    for batch in batches:
        dense = None
        for density in densities:
            say(f"resnet18 32x32, batch {batch}: density {density}")
            masks = generated_masks(network, density, batch)
            gated = Case.of(network, load("cgnet8", settings), masks, batch)
            dense = dense or Case.of(network, load("baseline8", settings), masks, batch)
            result = compare(gated, dense, memory)
            yield {"density": density, "batch": batch, **result["gated_layers"]}
