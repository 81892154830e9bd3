"""Cycles of single layers: the model and the RTL agree in every counter."""

import numpy as np
import pytest

from hwgen.bench.workloads import dense_layer, masked_layer
from hwgen.config import Config, load
from hwgen.errors import UserError
from hwgen.simulator.rtl import MemoryModel
from sim.configurations import random_configuration, random_sequential
from tests.compiler.layers import random_case
from tests.rtl.layers import compile_layer

from .comparison import Job, assert_equal, layer_job, workload_job

FAST, DEFAULT, SLOW = MemoryModel(1), MemoryModel(), MemoryModel(33, 0.3)


def random_jobs(config: Config, seed: int, count: int) -> list[Job]:
    """Layers of every kind the configuration knows."""
    rng = np.random.default_rng(seed)
    kinds = [None, "channel", "precision"] if config.array.gated else [None]
    jobs: list[Job] = []
    while len(jobs) < count:
        gate = kinds[len(jobs) % len(kinds)]
        case = random_case(rng, config, gate=gate, largest=int(rng.integers(8, 15)))
        try:
            jobs.append(layer_job(compile_layer(config, case.layer), case))
        except UserError as refusal:
            if "raise memory." not in str(refusal):
                raise
    return jobs


@pytest.mark.parametrize("memory", [FAST, DEFAULT, SLOW])
def test_every_instruction_of_random_layers(memory):
    """Eight layers one after the other, without a reset in between."""
    assert_equal(load("tiny"), random_jobs(load("tiny"), 1, 8), memory, instructions=True)


def test_a_register_more():
    """Before and behind the multipliers."""
    config = load("tiny", ["array.deep_pipeline=true"])
    assert_equal(config, random_jobs(config, 3, 6), DEFAULT, instructions=True)


@pytest.mark.parametrize(
    "config",
    [
        load("micro", ["control.sequential=false"]),
        load("tiny", ["control.queue_depth=0", "control.prefetch=2"]),
    ],
)
def test_instructions_that_wait_in_the_decoder(config):
    jobs = random_jobs(config, 4, 6)
    for memory in (FAST, SLOW):
        assert_equal(config, jobs, memory)


# `turns3` is a configuration of tests/rtl/test_random.py, too.
@pytest.mark.parametrize(
    "config",
    [load("micro"), random_sequential(np.random.default_rng(3), "turns3")],
    ids=["micro", "turns3"],
)
def test_one_instruction_after_the_other(config):
    jobs = random_jobs(config, 6, 4)
    for memory in (MemoryModel(0), FAST, DEFAULT, SLOW):
        assert_equal(config, jobs, memory)


# The configurations of tests/rtl/test_random.py, so that their simulators are there.
@pytest.mark.parametrize("seed", [34, 21, 49, 2])
def test_random_configurations(seed):
    config = random_configuration(np.random.default_rng(seed), f"random{seed}")
    jobs = random_jobs(config, seed, 9)
    for n, memory in enumerate((MemoryModel(7, 0.77), DEFAULT, SLOW)):
        assert_equal(config, jobs[3 * n : 3 * n + 3], memory)


def test_masked_layers():
    """None, some and all outputs fire, in clumps."""
    config = load("cgnet8")
    rng = np.random.default_rng(3)
    clumps = np.kron(rng.random((1, 64, 4, 4)) < 0.4, np.ones((1, 1, 4, 4), bool))[..., :14, :14]
    masks = [rng.random((1, 64, 14, 14)) < density for density in (0.0, 0.2, 1.0)] + [clumps]
    jobs = [workload_job(masked_layer(config, mask)) for mask in masks]
    first, some, every, clumped = assert_equal(config, jobs, DEFAULT)
    assert first.cycles < some.cycles < every.cycles
    assert clumped.counters["FIRED"] == clumps.sum()


@pytest.mark.parametrize("name", ["cgnet8", "baseline8"])
def test_dense_layers(name):
    config = load(name)
    jobs = [
        workload_job(dense_layer(config, channels=(16, 64), size=14, kernel=3, images=2)),
        workload_job(dense_layer(config, channels=(24, 8), size=9, kernel=1, images=1)),
    ]
    (large, _) = assert_equal(config, jobs, DEFAULT)
    assert large.macs == 2 * 14 * 14 * 16 * 64 * 9
