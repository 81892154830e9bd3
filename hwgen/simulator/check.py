"""A whole test set: answers by the integer reference, cycles by the model, samples on Verilog."""

import numpy as np

from models.netfile import Network
from models.reference import run as reference

from ..compiler.decisions import decisions
from ..compiler.network import Compiled, compile_network
from ..config import Config
from ..cycles import Model
from ..driver import Driver
from .compare import (
    MEMORY_BYTES,
    PROFILED,
    Comparison,
    Memory,
    profile,
    progress_bar,
    vector_modes,
    where,
)
from .rtl import MemoryModel, RtlSimulator, library

__all__ = ["check"]

DEFAULT_MEMORY = Memory()
AT_ONCE = 256
"""Images whose masks are in memory together."""


def check(
    network: Network,
    config: Config,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    samples: int = 4,
    memory: Memory = DEFAULT_MEMORY,
    limit: int = 1 << 32,
    quiet: bool = True,
    batch: int = 1,
    order: str | None = None,
    plans: str = "estimate",
) -> dict:
    """What `network` answers to all ``images``, and in how many cycles.

    ``samples`` runs, evenly spaced, are also done on the Verilog: every edge of every image has to
    be that of the reference, and the cycles those of the model (unless the memory stalls at random,
    which the model does not know). Images that do not fill the last batch are left out.
    """
    images = images[: len(images) // batch * batch] if len(images) >= batch else images
    compiled = compile_network(
        network, config, profile(network, images[:PROFILED]), batch=batch, order=order, plans=plans
    )
    memory_model = MemoryModel(memory.latency, memory.bandwidth, memory.stall)
    model = Model(config, MemoryModel(memory.latency, memory.bandwidth))
    runs = max(1, len(images) // batch)
    with progress_bar(quiet) as progress:
        task = progress.add_task("images", total=len(images))
        right, counters = 0, []
        size = max(1, AT_ONCE // batch) * batch
        for first in range(0, len(images), size):
            block = images[first : first + size]
            result = reference(network, block, masks=True)
            if labels is not None:
                right += int((result.classes == labels[first : first + size]).sum())
            for run in range(0, len(block), batch):
                masks = {name: m[run : run + batch] for name, m in result.masks.items()}
                fired = decisions(config, compiled.program, masks)
                group = block[run : run + batch]
                modes = vector_modes(compiled, group if batch > 1 else group[0])
                found = model.run(compiled.program, fired, trimmed=modes, limit=limit)
                counters.append(found.counters)
                progress.update(task, advance=batch)
        chosen = np.unique(np.linspace(0, runs - 1, min(samples, runs)).round().astype(int))
        progress.update(task, description="samples on the Verilog", total=len(chosen), completed=0)
        wrong = _samples(compiled, images, chosen, memory_model, limit, progress, task)
    cycles = [one["CYCLES"] / batch for one in counters]
    mean = {name: sum(one[name] for one in counters) / len(counters) for name in counters[0]}
    return {
        "format": "hwgen-check",
        "network": network.name,
        "config": config.name,
        "images": len(images),
        "batch": batch,
        "accuracy": None if labels is None else right / len(images),
        "cycles": sum(cycles) / len(cycles),
        "cycles_least": min(cycles),
        "cycles_most": max(cycles),
        "where": where(config, mean),
        "samples": len(chosen),
        "samples_equal": len(chosen) - len({sample for sample, _ in wrong}),
        "wrong": len(wrong),
        "first_wrong": wrong[0][1] if wrong else None,
    }


def _samples(
    compiled: Compiled, images: np.ndarray, chosen, memory: MemoryModel, limit: int, progress, task
) -> list[tuple[int, str]]:
    """Differences between the Verilog and what was computed without it: (sample, sentence)."""
    network, config, batch = compiled.network, compiled.config, compiled.batch
    if not len(chosen):
        return []
    numbers = np.concatenate([np.arange(n * batch, (n + 1) * batch) for n in chosen])
    expected = reference(network, images[numbers], taps=True, masks=True)
    # What the arbiters remember of a run decides on the next one: the same runs, in the same order.
    model = None if memory.stall else Model(config, memory)
    wrong = []
    built = library(config, progress=lambda step: progress.update(task, description=step))
    progress.update(task, description="samples on the Verilog")
    with RtlSimulator(built, memory_bytes=MEMORY_BYTES, model=memory) as simulator:
        session = Driver(simulator, config).load(compiled, MEMORY_BYTES)
        for number, sample in enumerate(chosen.tolist()):
            first = number * batch
            comparison = Comparison(expected.taps, batch)
            group = images[numbers[first : first + batch]]
            session.run(
                group if batch > 1 else group[0], cycles=limit, inspect=comparison.checker(first)
            )
            wrong += [(sample, text) for text in comparison.wrong]
            if model is not None:
                masks = {name: m[first : first + batch] for name, m in expected.masks.items()}
                fired = decisions(config, compiled.program, masks)
                modes = vector_modes(compiled, group if batch > 1 else group[0])
                found = model.run(compiled.program, fired, trimmed=modes, limit=limit)
                predicted = found.cycles
                measured = session.driver.counters()["CYCLES"]
                if predicted != measured:
                    wrong.append(
                        (sample, f"{measured} cycles on the Verilog, {predicted} predicted")
                    )
            progress.update(task, advance=1)
    return wrong
