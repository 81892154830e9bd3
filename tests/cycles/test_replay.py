"""What the array did once is replayed: the same numbers come out, also when others disturb it."""

import numpy as np
import pytest

from hwgen.bench.workloads import dense_layer, masked_layer
from hwgen.config import Config, load
from hwgen.cycles import Model, core
from hwgen.errors import UserError
from hwgen.simulator.machine import Machine
from hwgen.simulator.rtl import MemoryModel
from sim.configurations import random_configuration

from .comparison import Job, workload_job
from .test_skipping import facts


def repeating_jobs(config: Config, rng: np.random.Generator) -> list[Job]:
    """Layers of many chunks, a dense one and gated ones, of an image and of two at a time."""
    channels = 8 * config.array.lanes
    outputs = config.array.engines * config.array.slots
    for size in range(int(rng.integers(4, 7)), 2, -1):
        try:
            workloads = [
                dense_layer(config, channels=(channels, outputs), size=size, kernel=3, images=1)
            ]
            if config.array.gated:
                masks = rng.random((2, channels, size, size)) < rng.random((1, channels, 1, 1))
                workloads.append(masked_layer(config, masks[:1]))
                workloads.append(masked_layer(config, masks, batch=2))
        except UserError as refusal:
            if "raise memory." not in str(refusal):
                raise
        else:
            return [workload_job(workload) for workload in workloads]
    return []


def assert_replayed(config: Config, jobs: list[Job], memory: MemoryModel) -> float:
    """Every program twice, all on one model and every cycle on the other; the share of the cycles
    that the array was replayed.
    """
    stepped, replaying = (Model(config, memory, skips=skips) for skips in (False, True))
    cycles = replayed = 0
    fired = []
    for job in jobs:
        machine = Machine(config, bytearray(job.memory), job.bases)
        machine.run(job.program)
        fired.append(machine.fired)
    for job, decisions in 2 * list(zip(jobs, fired, strict=True)):
        expected = stepped.run(job.program, decisions, bases=job.bases)
        found = replaying.run(job.program, decisions, bases=job.bases)
        assert facts(found) == facts(expected)
        cycles, replayed = cycles + found.cycles, replayed + replaying.replayed
        assert stepped.replayed == 0
    return replayed / cycles


@pytest.mark.parametrize("seed", range(6))
def test_random_configurations(seed):
    rng = np.random.default_rng(7000 + seed)
    config = random_configuration(rng, "replaying")
    memory = MemoryModel(int(rng.integers(0, 60)), float(rng.choice([1.0, 0.6, 0.2])))
    assert_replayed(config, repeating_jobs(config, rng), memory)


def test_most_cycles_are_replayed():
    config = load("cgnet8")
    jobs = repeating_jobs(config, np.random.default_rng(1))
    assert assert_replayed(config, jobs, MemoryModel()) > 0.2


def test_pieces_make_no_difference(monkeypatch):
    """The core is left now and then; the second program goes on with what the first has taught."""
    config = load("cgnet8")
    jobs = repeating_jobs(config, np.random.default_rng(1))
    told: list[int] = []
    whole = Model(config)
    expected = [facts(whole.run(job.program, bases=job.bases)) for job in 2 * jobs]
    monkeypatch.setattr(core, "CYCLES_AT_ONCE", 777)
    pieces = Model(config)
    found = [pieces.run(job.program, bases=job.bases, progress=told.append) for job in 2 * jobs]
    assert [facts(one) for one in found] == expected
    assert told == [n for one in found for n in range(0, one.cycles, 777)]
    assert pieces.replayed > 0
    with pytest.raises(UserError, match="has not ended after 5000 cycles"):
        pieces.run(jobs[0].program, bases=jobs[0].bases, limit=5000)
