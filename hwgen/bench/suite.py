"""The benchmark: which networks, batches, memories and densities are measured."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
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
from ..errors import UserError
from ..simulator.rtl import MemoryModel
from .masks import density_for, generated_masks
from .networks import NETWORKS
from .whole import Case, Say, against, compare, run

__all__ = ["BYTES_A_CYCLE", "PARTS", "Subject", "measure", "of_images", "subjects"]

FORMAT = 1
REDUCTION = 2.82
"""Times fewer MACs: channel gating of ResNet-18 on ImageNet, as published (NeurIPS 2019)."""

BYTES_A_CYCLE = (4, 8, 16, 32)
DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
LATENCY = 20
SIZES = {"cifar": 32, "imagenet": 224}
PARTS = ("trained", *SIZES)


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


def _trained() -> Iterator[tuple[Network, Path]]:
    """The channel gated networks of the zoo, and the test images that ship with them.

    Precision gating saves cycles only on units that take them by bits: ``precision_gating``.
    """
    folder = Path(models.zoo.__file__).parent
    for path in sorted(folder.glob("*.safetensors")):
        network = load_network(path)
        sample = folder / f"{path.stem.split('_')[0]}_sample.npz"
        if any(conv.gate.kind == "channel" for conv in network.gated) and sample.is_file():
            yield network, sample


def _of_zoo(network: Network, sample: Path, batch: int) -> Subject:
    images = load_images(sample)
    return of_images(network, prepare(network, images.images), images.labels, batch)


def _shaped(name: str, size: int, batch: int) -> Subject:
    """ResNet-18 or VGG-16 with the published reduction and generated masks."""
    network = NETWORKS[name](size)
    density = density_for(network, REDUCTION)
    masks = generated_masks(network, density, batch)
    source = f"generated masks, density {density:.3f}"
    return Subject(f"{name} {size}x{size}", source, network, masks, batch)


def subjects(
    parts: Sequence[str], batches: Sequence[int], only: str = ""
) -> list[Callable[[], Subject]]:
    """What is measured: functions that make it, because masks are large.

    Raises
    ------
    UserError
        If no network of these parts has ``only`` in its name.
    """
    named = {}
    if "trained" in parts:
        named |= {network.name: partial(_of_zoo, network, path) for network, path in _trained()}
    for part, size in SIZES.items():
        if part in parts:
            named |= {f"{name} {size}x{size}": partial(_shaped, name, size) for name in NETWORKS}
    chosen = [make for name, make in named.items() if only in name]
    if named and not chosen:
        raise UserError(f"ONLY: must be part of one of {', '.join(named)}, not {only!r}")
    return [partial(make, batch) for batch in batches for make in chosen]


def _compiled(subject: Subject, wide: bool, settings: Sequence[str], say: Say) -> tuple[Case, Case]:
    """Gated and dense, for a memory port of 32 bytes if ``wide``, of 16 otherwise."""
    settings = [*settings, *(["bus.data_width=256"] if wide else [])]
    cases = []
    for name in ("cgnet8", "baseline8"):
        say(f"compiling for {name}")
        cases.append(Case.of(subject.network, load(name, settings), subject.masks, subject.batch))
    return tuple(cases)


def measure(
    parts: Sequence[str] = PARTS,
    batches: Sequence[int] = (1, 16),
    bytes_a_cycle: Sequence[int] = BYTES_A_CYCLE,
    densities: Sequence[float] = DENSITIES,
    settings: Sequence[str] = (),
    say: Say = lambda step: None,
    show: Callable[[dict], None] = lambda row: None,
    more: Sequence[Subject] = (),
    only: str = "",
) -> dict:
    """The whole document: ``runs`` (network x batch x memory) and ``densities`` (a sweep).

    ``settings`` replace fields of both configurations; ``more`` are networks beside those of
    ``parts`` that have ``only`` in their name.
    ``say`` is told each step, ``show`` each row of either as soon as it is there.
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
    made = [*(lambda subject=subject: subject for subject in more), *subjects(parts, batches, only)]
    total = len(made) * len(bytes_a_cycle) + len(densities) * len(batches)

    def tell(step: str) -> None:
        done = len(document["runs"]) + len(document["densities"])
        say(f"{done + 1} of {total}: {step}")

    def keep(kind: str, rows: Iterator[dict]) -> None:
        for row in rows:
            document[kind].append(row)
            show(row)

    for make in made:
        tell("network and masks")
        keep("runs", _runs(make(), bytes_a_cycle, settings, tell))
    for batch in batches if densities else ():
        keep("densities", _density_sweep(densities, batch, settings, tell))
    return document


def _runs(
    subject: Subject,
    bytes_a_cycle: Sequence[int],
    settings: Sequence[str],
    say: Say,
) -> Iterator[dict]:
    """A subject on every memory."""
    name = f"{subject.name}, batch {subject.batch}"
    compiled = {}
    for bandwidth in bytes_a_cycle:
        wide = bandwidth > 16
        if wide not in compiled:
            compiled[wide] = _compiled(subject, wide, settings, lambda step: say(f"{name}: {step}"))
        memory = MemoryModel(LATENCY, bandwidth / (32 if wide else 16))

        def running(step: str, bandwidth: int = bandwidth) -> None:
            say(f"{name}, {bandwidth} B/cycle: {step}")

        yield {
            "subject": subject.name,
            "masks": subject.source,
            "batch": subject.batch,
            "bytes_a_cycle": bandwidth,
            "density": float(np.mean([mask.mean() for mask in subject.masks.values()])),
            "accuracy": subject.accuracy,
            **compare(*compiled[wide], memory, running),
        }


def _density_sweep(
    densities: Sequence[float], batch: int, settings: Sequence[str], say: Say
) -> Iterator[dict]:
    """Speed-up of the gated layers of ResNet-18 for CIFAR against their density."""
    network, memory, dense = NETWORKS["resnet18"](32), MemoryModel(LATENCY), None
    for density in densities:

        def running(step: str, density: float = density) -> None:
            say(f"resnet18 32x32, batch {batch}, density {density}: {step}")

        running("masks and program")
        masks = generated_masks(network, density, batch)
        gated = Case.of(network, load("cgnet8", settings), masks, batch)
        if dense is None:
            case = Case.of(network, load("baseline8", settings), masks, batch)
            dense = run(case, memory, running)
        result = against(gated, run(gated, memory, running), dense)
        yield {"density": density, "batch": batch, **result["gated_layers"]}
