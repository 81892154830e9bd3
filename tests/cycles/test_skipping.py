"""Leaving out cycles in which nothing happens changes nothing."""

import numpy as np
import pytest

from hwgen.bench.workloads import masked_layer
from hwgen.config import Config, load
from hwgen.cycles import Model, Prediction
from hwgen.simulator.machine import Machine
from hwgen.simulator.rtl import MemoryModel
from sim.configurations import random_configuration

from .comparison import Job, workload_job
from .test_layers import random_jobs


def facts(prediction: Prediction) -> list:
    """Every counter, and the times of every instruction."""
    times = [(span.ready, span.start, span.end) for span in prediction.spans]
    return [prediction.cycles, prediction.counters, prediction.operations, times]


def assert_equal_modes(config: Config, jobs: list[Job], memory: MemoryModel) -> None:
    """Program by program, with and without."""
    models = [Model(config, memory, skips=skips) for skips in (False, True)]
    for job in jobs:
        machine = Machine(config, bytearray(job.memory), job.bases)
        machine.run(job.program)
        stepped, skipping = (
            facts(model.run(job.program, machine.fired, bases=job.bases)) for model in models
        )
        assert stepped == skipping


@pytest.mark.parametrize("seed", range(12))
def test_random_configurations(seed):
    rng = np.random.default_rng(1000 + seed)
    config = random_configuration(rng, "skipping")
    memory = MemoryModel(int(rng.integers(0, 60)), float(rng.choice([1.0, 0.6, 0.05])))
    assert_equal_modes(config, random_jobs(config, seed, 4), memory)


@pytest.mark.parametrize("name", ["cgnet8", "serial8"])
def test_masked_layers(name):
    config = load(name)
    rng = np.random.default_rng(5)
    masks = rng.random((1, 64, 10, 12)) < rng.random((1, 64, 1, 1)) * 0.6
    assert_equal_modes(config, [workload_job(masked_layer(config, masks))], MemoryModel())
