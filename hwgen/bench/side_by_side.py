"""Our cycles beside those of SCALE-Sim and ZigZag, for the same layers and as many multipliers.

Neither is imported: they want another NumPy than hwgen has, and ZigZag brings a top-level package
``tests``. They run in a Python of their own, which the user names.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..config import Config
from ..cycles import predict
from ..errors import UserError
from ..processes import run
from .workloads import dense_layer

__all__ = ["LAYERS", "RIVALS", "Layer", "Rival", "measure"]

FORMAT = 1
FOLDER = Path(__file__).parent / "rivals"
REQUIREMENTS = FOLDER / "requirements.txt"
STEADY = (2, 3)
"""Images of the two runs whose difference is what one more image takes."""


@dataclass(frozen=True)
class Layer:
    """A dense convolution of stride 1, padded to keep its size."""

    name: str
    channels: tuple[int, int]
    size: int
    kernel: int

    @property
    def macs(self) -> int:
        """Multiplications, those by padding among them."""
        return self.size**2 * self.channels[0] * self.channels[1] * self.kernel**2

    def as_dict(self) -> dict:
        """For the rivals, and for JSON."""
        shape = {"channels": list(self.channels), "size": self.size, "kernel": self.kernel}
        return {"name": self.name, "stride": 1, "macs": self.macs, **shape}


LAYERS = (
    Layer("ResNet-18, 56x56", (64, 64), 56, 3),
    Layer("ResNet-18, 7x7", (512, 512), 7, 3),
    Layer("ResNet-20, 32x32", (16, 16), 32, 3),
    Layer("ResNet-20, 16x16", (32, 32), 16, 3),
    Layer("ResNet-20, 8x8", (64, 64), 8, 3),
    Layer("1x1, 16x16", (128, 128), 16, 1),
)
"""The shapes for which others publish figures, and a matrix product."""


@dataclass(frozen=True)
class Rival:
    """A model of someone else: the package, the script that runs it, and what it is told."""

    name: str
    package: str
    script: str
    settings: Callable[[Config], dict]


def _scalesim(dataflow: str) -> Callable[[Config], dict]:
    """A square systolic array of as many multipliers, and the buffers of the configuration."""

    def settings(config: Config) -> dict:
        rows = 1 << (config.macs.bit_length() - 1) // 2
        half = max(config.activation_bytes // 2048, 1)
        return {
            "rows": rows,
            "columns": config.macs // rows,
            "input_kb": half,
            "output_kb": half,
            "weight_kb": max(config.weight_bytes // 1024, 1),
            "dataflow": dataflow,
            "bytes_a_cycle": config.bus.data_width // 8,
        }

    return settings


def _zigzag(config: Config) -> dict:
    """The unrolling, memories and widths of the configuration."""
    array = config.array
    return {
        "clusters": array.clusters,
        "engines": array.engines,
        "lanes": array.lanes,
        "engine_weight_bits": 2 * array.slots * array.lanes * array.weight_bits,
        "accumulator_bits": 2 * array.rows * config.accumulator_bits,
        "weight_buffer_bits": 8 * config.weight_bytes,
        "weight_word_bits": config.weight_word_bits,
        "activation_buffer_bits": 8 * config.activation_bytes,
        "bytes_a_cycle": config.bus.data_width // 8,
    }


RIVALS = {
    rival.name: rival
    for rival in (
        Rival("scalesim-ws", "scalesim", "run_scalesim.py", _scalesim("ws")),
        Rival("scalesim-os", "scalesim", "run_scalesim.py", _scalesim("os")),
        Rival("zigzag", "zigzag", "run_zigzag.py", _zigzag),
    )
}


def ours(config: Config, layer: Layer) -> dict:
    """Cycles of the layer alone, from the first fetch to the last store, and of one image more."""
    shape = {"channels": layer.channels, "size": layer.size, "kernel": layer.kernel}
    started = time.process_time()
    alone, fewer, more = (
        predict(config, dense_layer(config, images=images, **shape).program).cycles
        for images in (1, *STEADY)
    )
    seconds = time.process_time() - started
    return {"cycles": alone, "steady_cycles": more - fewer, "seconds": seconds}


def theirs(rival: Rival, config: Config, layer: Layer, python: Path, seconds=None) -> dict:
    """What a rival says of a layer; ``gave_up_after`` alone if it has not in so many seconds.

    Raises
    ------
    UserError
        If the Python is none, or the rival is not installed or does not work in it.
    """
    request = {"array": rival.settings(config), "layers": [layer.as_dict()]}
    command = [python, FOLDER / rival.script, json.dumps(request)]
    # What it leaves behind if it does not come to its end goes with the folder.
    with tempfile.TemporaryDirectory() as scratch:
        try:
            made = run(command, timeout=seconds, env=os.environ | {"TMPDIR": scratch})
        except OSError as error:
            raise UserError(f"PYTHON: {python} cannot be run ({error.strerror})") from None
        except subprocess.TimeoutExpired:
            return {"gave_up_after": seconds}
    if made.returncode == 0:
        try:
            (found,) = json.loads(made.stdout)
            return found
        except ValueError:
            raise UserError(f"PYTHON: must be a Python, not {python}") from None
    last = (made.stderr.strip().splitlines() or [f"exit code {made.returncode}"])[-1]
    if "ModuleNotFoundError" in last:
        raise UserError(
            f"PYTHON: {python} lacks {rival.package} ({last}): make side-by-side sets one up, or "
            f"pip install -r {REQUIREMENTS} in an environment of its own"
        )
    raise UserError(f"PYTHON: {python}: {rival.name} failed: {last}")


def measure(
    config: Config,
    rivals: Iterable[Rival] = RIVALS.values(),
    layers: Iterable[Layer] = LAYERS,
    python: Path = Path(sys.executable),
    seconds: float | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> dict:
    """Cycles of each layer on ``config`` and by each of the rivals, for JSON.

    ``utilization`` is the cycles that the multiplications take at least over the cycles told. A
    rival is given ``seconds`` for a layer, or as many as it needs.
    """
    layers = tuple(layers)
    rows = [{"layer": layer.as_dict(), "models": {}} for layer in layers]

    def note(row: dict, name: str, found: dict) -> None:
        least = row["layer"]["macs"] / config.macs
        uses = {
            key.replace("cycles", "utilization"): least / cycles
            for key, cycles in found.items()
            if key in ("cycles", "steady_cycles")
        }
        row["models"][name] = found | uses

    # A rival that is missing is told at once.
    for rival in rivals:
        for layer, row in zip(layers, rows, strict=True):
            most = "" if seconds is None else f", at most {seconds:.0f} s"
            progress(f"{rival.name}: {layer.name}{most}")
            note(row, rival.name, theirs(rival, config, layer, python, seconds))
    for layer, row in zip(layers, rows, strict=True):
        progress(f"hwgen: {layer.name}")
        note(row, "hwgen", ours(config, layer))
    return {
        "format": "hwgen-side-by-side",
        "format_version": FORMAT,
        "config": config.name,
        "hash": config.hash,
        "macs_a_cycle": config.macs,
        "layers": rows,
    }
