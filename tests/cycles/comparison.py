"""The model beside the RTL: programs one after the other on both."""

from dataclasses import dataclass

import numpy as np

from hwgen.bench.workloads import Workload
from hwgen.compiler.network import INPUT_BASE, WORK_BASE, Compiled
from hwgen.compiler.program import Program, encode
from hwgen.config import Config
from hwgen.cycles import Model, Prediction
from hwgen.driver import ALIGNMENT, Driver
from hwgen.simulator.machine import Machine
from hwgen.simulator.rtl import MemoryModel, RtlSimulator
from hwgen.simulator.rtl import library as plain

from . import observed

__all__ = ["Job", "assert_equal", "layer_job", "network_job", "workload_job"]

LIMIT = 4_000_000
REST = 60  # register reads before a start: the memory has all its credit again


@dataclass(frozen=True)
class Job:
    """A program with all that lies in memory; ``bases`` are the base registers."""

    program: Program
    memory: bytes
    bases: list[int]


def _job(program: Program, contents: list[tuple[int, bytes | int]]) -> Job:
    """``contents``: for each base register from 0 on the bytes behind it, or how many."""
    code = encode(program)
    memory, bases = bytearray(code), []
    for data in contents:
        memory += bytes(-len(memory) % ALIGNMENT)
        bases.append(len(memory))
        memory += bytes(data) if isinstance(data, int) else data
    return Job(program, bytes(memory), bases)


def layer_job(program: Program, case) -> Job:
    """Of a `tests.compiler.layers.Case`."""
    return _job(program, [program.constants, case.memory, case.layer.output.bytes])


def workload_job(workload: Workload) -> Job:
    """Of a workload of the benchmarks."""
    program = workload.program
    return _job(program, [program.constants, workload.inputs, workload.output_bytes])


def network_job(compiled: Compiled, image: np.ndarray) -> Job:
    """Of a network and an image."""
    assert (INPUT_BASE, WORK_BASE) == (1, 2)
    program = compiled.program
    return _job(program, [program.constants, compiled.input.pack(image), compiled.work_bytes])


def _rtl(library, config: Config, jobs: list[Job], model: MemoryModel) -> list[dict[str, int]]:
    """The performance counters of each job."""
    size = max(len(job.memory) for job in jobs)
    size += -size % ALIGNMENT  # the last beat is whole
    found = []
    with RtlSimulator(library, memory_bytes=size, model=model) as simulator:
        driver = Driver(simulator, config)
        for name, value in {"READ_END": size, "WRITE_END": size}.items():
            driver.write(name, value)
        for job in jobs:
            simulator.write_memory(0, job.memory)
            for base, address in enumerate(job.bases):
                driver.write(f"BASE{base}", address)
            for _ in range(REST):
                driver.read("ID")
            driver.start(0, len(job.program.steps))
            driver.finish(LIMIT)
            found.append(driver.counters())
    return found


def _predictions(config: Config, jobs: list[Job], model: MemoryModel) -> list[Prediction]:
    predictor, found = Model(config, model), []
    for job in jobs:
        machine = Machine(config, bytearray(job.memory), job.bases)
        machine.run(job.program)
        data = {"trimmed": machine.trimmed, "bases": job.bases}
        found.append(predictor.run(job.program, machine.fired, limit=LIMIT, **data))
    return found


def _first_difference(config, jobs, model, predictions) -> str:
    """The first instruction that the RTL runs at another time."""
    if config.control.sequential:
        return "the sequential control tells no times"
    lines: list[str] = []
    library = observed.library(config)
    with observed.captured(lines):
        _rtl(library, config, jobs, model)
    events = observed.events(lines)
    done = dict.fromkeys(events, 0)
    for job, prediction in enumerate(predictions):
        for number, span in enumerate(prediction.spans):
            unit = span.step.unit
            if unit == "fetch":
                continue
            rtl = events[unit][done[unit]]
            done[unit] += 1
            if rtl != (said := [span.ready, span.start, span.end]):
                return (
                    f"job {job}, instruction {number} ({unit}: {span.step.note}): "
                    f"ready, start, end are {rtl} in the RTL and {said} in the model"
                )
    return "all instructions run when the model says"


def assert_equal(
    config: Config, jobs: list[Job], model: MemoryModel, *, instructions: bool = False
) -> list[Prediction]:
    """Every counter of every job; with ``instructions`` every instruction's times as well."""
    predictions = _predictions(config, jobs, model)
    for number, (counters, prediction) in enumerate(
        zip(_rtl(plain(config), config, jobs, model), predictions, strict=True)
    ):
        wrong = {
            name: (value, prediction.counters[name])
            for name, value in counters.items()
            if value != prediction.counters[name]
        }
        if wrong:
            where = _first_difference(config, jobs, model, predictions)
            raise AssertionError(f"job {number} (RTL, model): {wrong}; {model}; {where}")
    if instructions:
        where = _first_difference(config, jobs, model, predictions)
        assert where.startswith("all instructions"), where
    return predictions
