"""Area, clock and cycles of the shipped configurations, kept in a file so that a loss is seen.

A figure that gets worse by more than 2 % has to be declared, with a reason, when the file is
written anew; the tests measure the quick ones again and compare.
"""

import fnmatch
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hwgen.config import load
from hwgen.errors import UserError
from hwgen.flows.parts import PARTS
from hwgen.flows.synthesis import Aim, Libraries, synthesize

__all__ = ["ENTRIES", "TOLERANCE", "Entry", "losses", "measure", "merge"]

TOLERANCE = 0.02
"""How much worse a figure may become without a word."""

HIGHER_IS_BETTER = frozenset({"fmax"})

NETWORKS = {
    "micro": "fashion_small",
    "tiny": "fashion_small",
    "cgnet8": "fashion_small",
    "baseline8": "fashion_small",
    "serial8": "fashion_small",
    "cgnet85f": "fashion_small",
    "bitfusion8": "fashion_mixed",
    "stripes8": "fashion_mixed",
    "pg43": "fashion_pg43",
    "bnn": "fashion_binary",
}
"""The shipped configurations, and the network that is trained for each."""

WHOLE = "resnet18 224x224"


@dataclass(frozen=True)
class Entry:
    """A measurement: its name, whether the tests repeat it, and how it is made."""

    name: str
    quick: bool
    make: Callable[[Callable[[str], None]], dict[str, float]]


def _count(config: str, module: str | None = None, fast: bool = False) -> Entry:
    def make(progress):
        report = synthesize(load(config), "ecp5", module=module, progress=progress)
        return {name: report.total[name] for name in report.target.resources} | {
            "memory_bits": report.memory_bits
        }

    return Entry(f"area/ecp5/{config}/{module or 'all'}", fast, make)


def _clock(config: str, part: str, module: str | None = None, fast: bool = False) -> Entry:
    def make(progress):
        report = synthesize(
            load(config), PARTS[part].target, module=module, aim=Aim(part=part), progress=progress
        )
        used = {name: use for name, (use, _) in report.timing.used.items() if use}
        return {"fmax": round(report.timing.fmax, 1), **used}

    return Entry(f"placed/{part}/{config}/{module or 'all'}", fast, make)


def _cell_area(config: str, libraries: Libraries) -> Entry:
    def make(progress):
        report = synthesize(load(config), "asic", libraries=libraries, progress=progress)
        total = {name: report.total[name] for name in report.target.resources}
        return {**total, "area": round(total["area"]), "memory_bits": report.memory_bits}

    return Entry(f"area/{Path(libraries.cells.files[0]).name.split('.')[0]}/{config}", False, make)


def _cycles(config: str, stem: str) -> Entry:
    """The network that is trained for it, with its own masks, a single image."""

    def make(progress):
        import models.zoo
        from models.images import load_images
        from models.netfile import load as load_network
        from models.reference import prepare
        from models.reference import run as reference

        progress("cycle model")
        folder = Path(models.zoo.__file__).parent
        network = load_network(folder / f"{stem}.safetensors")
        images = load_images(folder / "fashion_sample.npz").images[:1]
        masks = reference(network, prepare(network, images), masks=True).masks
        return _predicted(config, network, masks or None)

    return Entry(f"cycles/{stem}/{config}", True, make)


def _cycles_whole(config: str) -> Entry:
    """ResNet-18 at ImageNet shapes with generated masks, a single image."""

    def make(progress):
        from hwgen.bench.suite import subjects

        progress("cycle model")
        subject = subjects(("imagenet",), (1,), WHOLE)[0]()
        return _predicted(config, subject.network, subject.masks)

    return Entry(f"cycles/{WHOLE.replace(' ', '_')}/{config}", False, make)


def _predicted(config: str, network, masks) -> dict[str, float]:
    from hwgen.bench.whole import Case
    from hwgen.cycles import predict

    case = Case.of(network, load(config), masks, 1)
    found = predict(case.compiled.config, case.compiled.program, case.decided())
    return {"cycles": found.cycles, "bytes_read": found.counters["BYTES_READ"]}


ENTRIES = {
    entry.name: entry
    for entry in (
        *(_cycles(config, stem) for config, stem in NETWORKS.items()),
        _cycles_whole("cgnet8"),
        _cycles_whole("baseline8"),
        _count("tiny", "group", fast=True),
        _count("tiny", "parallel_mac", fast=True),
        _clock("tiny", "up5k", "task_packer", fast=True),
        *(_count(config) for config in NETWORKS),
        _clock("tiny", "lfe5u-85f"),
        _clock("tiny", "lfe5u-85f", "group"),
        _clock("cgnet85f", "lfe5u-85f"),
    )
}
"""All but those in standard cells, whose Liberty files the user names."""


def measure(
    pattern: str,
    progress: Callable[[str], None] = lambda stage: None,
    libraries: Libraries | None = None,
) -> dict[str, dict]:
    """The figures of all entries whose name matches a pattern such as ``cycles/*``; with
    ``libraries`` there is one of each configuration in these cells, too.

    Raises
    ------
    UserError
        If none does.
    """
    cells = [_cell_area(config, libraries) for config in NETWORKS] if libraries else []
    entries = ENTRIES | {entry.name: entry for entry in cells}
    chosen = [entry for name, entry in entries.items() if fnmatch.fnmatch(name, pattern)]
    if not chosen:
        raise UserError(f"ONLY: must match one of {', '.join(entries)}, not {pattern!r}")
    return {
        entry.name: entry.make(lambda stage, name=entry.name: progress(f"{name}: {stage}"))
        for entry in chosen
    }


def losses(before: dict[str, dict], after: dict[str, dict]) -> list[dict]:
    """Figures that are worse than before by more than the tolerance."""
    found = []
    for name in before.keys() & after.keys():
        for figure, old in before[name].items():
            new = after[name].get(figure)
            if new is None:
                continue
            limit = 1 - TOLERANCE if figure in HIGHER_IS_BETTER else 1 + TOLERANCE
            worse = new < old * limit if figure in HIGHER_IS_BETTER else new > old * limit
            if worse:
                found.append({"entry": name, "figure": figure, "before": old, "after": new})
    return sorted(found, key=lambda loss: (loss["entry"], loss["figure"]))


def merge(kept: dict, measured: dict[str, dict], why: str | None) -> dict:
    """The document with new figures; losses need a reason, and stay on record.

    Raises
    ------
    UserError
        If a loss is not declared.
    """
    lost = losses(kept.get("figures", {}), measured)
    if lost and not why:
        told = "; ".join(
            f"{loss['entry']} {loss['figure']}: {loss['before']:g} -> {loss['after']:g}"
            for loss in lost
        )
        raise UserError(f"DECLARE: must say why figures are lost by more than 2 %: {told}")
    return {
        "format": "hwgen-ppa",
        "format_version": 1,
        "figures": dict(sorted({**kept.get("figures", {}), **measured}.items())),
        "declared_losses": kept.get("declared_losses", [])
        + [{**loss, "why": why} for loss in lost],
    }


def read(path: Path) -> dict:
    """The document, or an empty one if there is none."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"OUT: {path} is no JSON ({error})") from None
