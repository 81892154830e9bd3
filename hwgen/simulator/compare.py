"""A network on a backend, compared with the integer reference edge by edge."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.netfile import Network
from models.reference import run as reference

from ..compiler.network import Compiled, compile_network
from ..config import Config
from ..driver import Driver
from .machine import Machine

__all__ = ["Memory", "compare", "profile"]

MEMORY_BYTES = 1 << 28


@dataclass(frozen=True)
class Memory:
    """How the simulated memory answers; see :class:`hwgen.simulator.rtl.MemoryModel`."""

    latency: int = 20
    bandwidth: float = 1.0
    stall: float = 0.0


def profile(network: Network, images: np.ndarray) -> dict[str, np.ndarray]:
    """Share of fired outputs of each channel of each gated layer, for the compiler."""
    result = reference(network, images)
    return {
        layer.name: result.fired[layer.name]
        / (len(images) * layer.output.size / layer.output.shape[0])
        for layer in network.gated
    }


def _groups(images: np.ndarray, batch: int) -> Iterator[tuple[int, np.ndarray]]:
    """Number of the first image, and images for a run; the last image fills up the last batch."""
    for first in range(0, len(images), batch):
        numbers = np.minimum(np.arange(first, first + batch), len(images) - 1)
        yield first, images[numbers] if batch > 1 else images[first]


def _functional(compiled: Compiled, image: np.ndarray, inspect: Callable) -> int:
    """Run the program in integers; there are no cycles to tell."""
    constants = compiled.program.constants
    bases = [0, len(constants), len(constants) + compiled.input.bytes]
    memory = bytearray(constants + compiled.input.pack(image) + bytes(compiled.work_bytes))
    Machine(compiled.config, memory, bases).run(compiled.program)
    for name, view in compiled.views.items():
        start = bases[view.tensor.base] + view.tensor.offset
        inspect(name, view.unpack(bytes(memory[start : start + view.tensor.bytes])))
    return 0


def compare(
    network: Network,
    config: Config,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    backend: str = "rtl",
    memory: Memory = Memory(),
    trace: Path | None = None,
    limit: int = 1 << 32,
    quiet: bool = True,
    batch: int = 1,
    order: str | None = None,
) -> dict:
    """Run ``images``, ``batch`` at a time, and compare every edge with the reference.

    Returns facts for people and programs: ``wrong`` counts edges that differ (0), ``first_wrong``
    names the first of them, ``cycles`` is the mean of an image, ``counters`` are means of the
    performance counters.
    """
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    expected = reference(network, images, taps=True)
    facts = {
        "network": network.name,
        "config": config.name,
        "backend": backend,
        "images": len(images),
        "accuracy": None if labels is None else float((expected.classes == labels).mean()),
        "edges_compared": 0,
        "wrong": 0,
        "first_wrong": None,
    }
    if backend == "golden":
        return facts
    densities = profile(network, images) if network.gated else None
    compiled = compile_network(network, config, densities, batch=batch, order=order)

    def checker(first: int) -> Callable:
        def inspect(name: str, got: np.ndarray) -> None:
            wanted = expected.taps[name][first : first + batch]
            for number, want in enumerate(wanted, first):
                facts["edges_compared"] += 1
                one = got[number - first] if batch > 1 else got
                if not np.array_equal(one.reshape(want.shape), want):
                    facts["wrong"] += 1
                    facts["first_wrong"] = facts["first_wrong"] or f"layer {name}, image {number}"

        return inspect

    console = Console(stderr=True, quiet=quiet)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=quiet, transient=True) as progress:
        task = progress.add_task("building", total=len(images))

        def say(step: str) -> None:
            progress.update(task, description=step)

        if backend == "functional":
            for number, group in _groups(images, batch):
                _functional(compiled, group, checker(number))
                progress.update(task, description="images", advance=batch)
            return facts
        facts |= _rtl(compiled, images, memory, trace, limit, checker, say, progress, task)
    return facts


def _rtl(compiled, images, memory, trace, limit, checker, say, progress, task) -> dict:
    from .rtl import MemoryModel, RtlSimulator, library

    built = library(compiled.config, trace=trace is not None, progress=say)
    model = MemoryModel(memory.latency, memory.bandwidth, memory.stall)
    total: dict[str, int] = {}
    started = time.monotonic()
    with RtlSimulator(built, memory_bytes=MEMORY_BYTES, model=model) as simulator:
        if trace is not None:
            simulator.trace(trace)
        session = Driver(simulator, compiled.config).load(compiled, MEMORY_BYTES)
        runs = 0
        for number, group in _groups(images, compiled.batch):
            session.run(group, cycles=limit, inspect=checker(number))
            for name, value in session.driver.counters().items():
                total[name] = total.get(name, 0) + value
            runs += 1
            progress.update(task, description="images", advance=compiled.batch)
        seconds = time.monotonic() - started
        mean = {name: value / (runs * compiled.batch) for name, value in total.items()}
        return {
            "cycles": mean["CYCLES"],
            "simulated_cycles_a_second": simulator.cycle / seconds,
            "counters": mean,
        }
