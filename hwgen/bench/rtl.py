"""Figures of the generated hardware."""

import resource
import sys
import tempfile
import time

import numpy as np

from ..config import Config
from ..processes import run
from ..simulator.rtl import MemoryModel
from .measure import measure
from .workloads import Workload, dense_layer, masked_layer

__all__ = ["dense", "gated", "generation"]

BASE = 1 / 8


def generation(config: Config) -> dict:
    """Seconds and memory of ``hwgen verilog`` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/config.json"
        with open(path, "w") as file:
            file.write(config.model_dump_json())
        script = (
            "import sys; from pathlib import Path; from hwgen.config import Config; "
            "from hwgen.generate import generate; "
            "text = Path(sys.argv[1]).read_text(); "
            "print(len(generate(Config.model_validate_json(text)).verilog.splitlines()))"
        )
        started = time.monotonic()
        command = [sys.executable, "-c", script, path]
        made = run(command)
        made.check_returncode()
        seconds = time.monotonic() - started
        kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"lines": int(made.stdout), "seconds": seconds, "megabytes": kilobytes / 1024}


def _difference(config: Config, few: Workload, many: Workload, model: MemoryModel):
    """Counters of the larger workload, and the cycles that it takes more."""
    counters = measure(config, many, model)
    return counters, counters["CYCLES"] - measure(config, few, model)["CYCLES"]


def dense(config: Config, model: MemoryModel, *, few: int = 6, many: int = 10) -> dict:
    """Part of the MACs that a dense 3x3 layer of 64 channels on 14x14 positions keeps busy."""
    shape = {"channels": (64, 64), "size": 14, "kernel": 3}
    less, more = (dense_layer(config, images=n, **shape) for n in (few, many))
    counters, steady = _difference(config, less, more, model)
    return {
        "images": many,
        "cycles": counters["CYCLES"],
        "whole": more.macs / config.macs / counters["CYCLES"],
        "steady": (more.macs - less.macs) / config.macs / steady,
    }


def gated(config: Config, name: str, masks: np.ndarray, model: MemoryModel, batch: int = 1) -> dict:
    """Part of the ideal reduction in cycles that layers with decisions ``masks`` reach, up to
    ``batch`` images together.
    """
    half = len(masks) // 2
    less, more = (masked_layer(config, m, batch=batch) for m in (masks[:half], masks))

    def ideal(macs: int, share: np.ndarray) -> float:
        return macs / config.macs * (BASE + (1 - BASE) * share.mean())

    counters, steady = _difference(config, less, more, model)
    engines = config.array.clusters * config.groups * counters["CYCLES"]
    return {
        "name": name,
        "shape": masks.shape,
        "density": float(masks.mean()),
        "cycles": counters["CYCLES"],
        "whole": ideal(more.macs, masks) / counters["CYCLES"],
        "steady": ideal(more.macs - less.macs, masks[half:]) / steady,
        "waits": {
            what: counters[f"ARRAY_{what.upper()}"] / engines
            for what in ("starved", "unloaded", "interlocked")
            if config.control.counters
        },
    }
