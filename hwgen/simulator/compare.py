"""A network on a backend, compared with the integer reference edge by edge."""

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from models.netfile import Network
from models.reference import run as reference

from ..compiler.network import Compiled, compile_network
from ..config import Config
from ..driver import Driver
from .machine import Machine
from .trace import Trace, traced

__all__ = ["Comparison", "Memory", "compare", "profile", "progress_bar", "where"]

MEMORY_BYTES = 1 << 28
PROFILED = 16
"""Images whose densities the compiler gets."""


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


def _functional(compiled: Compiled, image: np.ndarray, inspect: Callable) -> Machine:
    """Run the program in integers; the machine knows what of the data decides on the time."""
    constants = compiled.program.constants
    bases = [0, len(constants), len(constants) + compiled.input.bytes]
    memory = bytearray(constants + compiled.input.pack(image) + bytes(compiled.work_bytes))
    machine = Machine(compiled.config, memory, bases)
    machine.run(compiled.program)
    for layer in compiled.network.layers:
        if layer.kind in ("input", "flatten") or layer.name not in compiled.views:
            continue
        view = compiled.views[layer.name]
        start = bases[view.tensor.base] + view.tensor.offset
        inspect(layer.name, view.unpack(bytes(memory[start : start + view.tensor.bytes])))
    return machine


def vector_modes(compiled: Compiled, image: np.ndarray) -> list[np.ndarray]:
    """The modes of all vectors of a run, for the cycle model, if the array trims them."""
    if not compiled.config.array.trim_planes:
        return []
    return _functional(compiled, image, lambda name, got: None).trimmed


class Comparison:
    """Edges as they come from a backend, ``batch`` images at a time, against those of the
    reference: ``expected`` holds the edges of all images by name.
    """

    def __init__(self, expected: dict[str, np.ndarray], batch: int = 1):
        self._expected, self._batch = expected, batch
        self.edges = 0
        self.wrong: list[str] = []
        self._checksums: dict[str, int] = {}

    def checker(self, first: int) -> Callable[[str, np.ndarray], None]:
        """A function that takes each edge of the images from ``first`` on."""

        def inspect(name: str, got: np.ndarray) -> None:
            wanted = self._expected[name][first : first + self._batch]
            for number, want in enumerate(wanted):
                one = got[number] if self._batch > 1 else got
                one = one.reshape(want.shape).astype(want.dtype)
                self.edges += 1
                self._checksums[name] = zlib.crc32(one.tobytes(), self._checksums.get(name, 0))
                if not np.array_equal(one, want):
                    self.wrong.append(f"layer {name}, image {first + number}")

        return inspect

    def facts(self) -> dict:
        """For people and programs."""
        return {
            "edges_compared": self.edges,
            "wrong": len(self.wrong),
            "first_wrong": self.wrong[0] if self.wrong else None,
            "layers": [
                {
                    "layer": name,
                    "checksum": f"{value:08x}",
                    "wrong": sum(w.startswith(f"layer {name}, ") for w in self.wrong),
                }
                for name, value in self._checksums.items()
            ],
        }


def progress_bar(quiet: bool) -> Progress:
    """A bar on standard error that counts images."""
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    console = Console(stderr=True, quiet=quiet)
    # Off a terminal it would leave an empty line, and errors are one line.
    disable = quiet or not console.is_terminal
    return Progress(*columns, console=console, disable=disable, transient=True)


def compare(
    network: Network,
    config: Config,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    backend: str = "rtl",
    memory: Memory = Memory(),
    trace: Trace | None = None,
    limit: int = 1 << 32,
    quiet: bool = True,
    batch: int = 1,
    order: str | None = None,
    plans: str = "estimate",
) -> dict:
    """Run ``images``, ``batch`` at a time, and compare every edge with the reference.

    Returns facts for people and programs: ``wrong`` counts edges that differ (0), ``first_wrong``
    names the first of them, ``classes`` are the reference's answers, ``layers`` has the checksum
    of each edge over all images, ``cycles`` is the mean of an image, ``counters`` are means of the
    performance counters.
    """
    compiled = None
    if backend != "golden":  # first: it refuses what the configuration cannot run
        densities = profile(network, images[:PROFILED])
        compiled = compile_network(
            network, config, densities, batch=batch, order=order, plans=plans
        )
    expected = reference(network, images, taps=backend != "golden")
    facts = {
        "network": network.name,
        "config": config.name,
        "backend": backend,
        "images": len(images),
        "accuracy": None if labels is None else float((expected.classes == labels).mean()),
        "classes": expected.classes.tolist(),
    }
    comparison = Comparison(expected.taps, batch)
    if compiled is None:
        return facts | comparison.facts()
    with progress_bar(quiet) as progress:
        task = progress.add_task("building", total=len(images))

        def say(step: str, advance: int = 0) -> None:
            progress.update(task, description=step, advance=advance)

        if backend == "functional":
            for first, group in _groups(images, batch):
                _functional(compiled, group, comparison.checker(first))
                say("images", batch)
        elif backend == "cycle":
            facts |= _cycle(compiled, images, memory, limit, comparison, say)
        else:
            facts |= _rtl(compiled, images, memory, trace, limit, comparison, say)
    return facts | comparison.facts()


def _rtl(compiled, images, memory, trace, limit, comparison, say) -> dict:
    from .rtl import MemoryModel, RtlSimulator, library

    built = library(compiled.config, trace=trace is not None, progress=say)
    model = MemoryModel(memory.latency, memory.bandwidth, memory.stall)
    counters = []
    started = time.monotonic()
    with (
        RtlSimulator(built, memory_bytes=MEMORY_BYTES, model=model) as simulator,
        traced(simulator, trace),
    ):
        session = Driver(simulator, compiled.config).load(compiled, MEMORY_BYTES)
        for first, group in _groups(images, compiled.batch):
            session.run(group, cycles=limit, inspect=comparison.checker(first))
            counters.append(session.driver.counters())
            say("images", compiled.batch)
        return _means(compiled, counters, simulator.cycle, time.monotonic() - started)


def _cycle(compiled, images, memory, limit, comparison, say) -> dict:
    """The program in integers, and the cycles that it takes on the accelerator."""
    from ..cycles import Model
    from .rtl import MemoryModel

    model = Model(compiled.config, MemoryModel(memory.latency, memory.bandwidth, memory.stall))
    counters, seconds = [], 0.0
    for first, group in _groups(images, compiled.batch):
        machine = _functional(compiled, group, comparison.checker(first))
        started = time.monotonic()
        data = {"decisions": machine.fired, "trimmed": machine.trimmed}
        counters.append(model.run(compiled.program, **data, limit=limit).counters)
        seconds += time.monotonic() - started
        say("images", compiled.batch)
    return _means(compiled, counters, sum(one["CYCLES"] for one in counters), seconds)


def _means(compiled: Compiled, counters: list[dict[str, int]], simulated, seconds) -> dict:
    """Of an image, from the counters of all runs."""
    images = len(counters) * compiled.batch
    mean = {name: sum(one[name] for one in counters) / images for name in counters[0]}
    cycles = [one["CYCLES"] / compiled.batch for one in counters]
    return {
        "cycles": mean["CYCLES"],
        "cycles_least": min(cycles),
        "cycles_most": max(cycles),
        "simulated_cycles_a_second": simulated / seconds,
        "where": where(compiled.config, mean),
        "counters": mean,
    }


def where(config: Config, counters: dict[str, float]) -> dict[str, float]:
    """Shares of the cycles of all groups: what they did, or what they waited for; none if the
    accelerator does not count it.
    """
    if "ARRAY_BUSY" not in counters:
        return {}
    groups = config.array.clusters * config.groups * counters["CYCLES"]
    shares = {
        "computing": counters["ARRAY_BUSY"] / groups,
        "waiting for vectors": counters["ARRAY_STARVED"] / groups,
        "waiting for weights": counters["ARRAY_UNLOADED"] / groups,
        "waiting for an accumulator row": counters["ARRAY_INTERLOCKED"] / groups,
    }
    return shares | {"no pass to do": 1 - sum(shares.values())}
