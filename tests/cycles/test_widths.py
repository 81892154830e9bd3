"""Cycles of networks of all widths: the model and the RTL agree in every counter."""

import numpy as np
import pytest

from hwgen.compiler.network import compile_network
from hwgen.config import Config, load
from hwgen.cycles import Model
from hwgen.simulator.rtl import MemoryModel
from models.zoo.widths import random_widths
from tests.compiler.test_widths import GATES, TRIMMED, unit

from .comparison import Job, assert_equal, network_job

DEFAULT, SLOW = MemoryModel(), MemoryModel(33, 0.3)


def random_job(config: Config, seed: int, most: int, gates=GATES) -> Job:
    """A network whose layers have widths of up to ``most`` bits, gated in some ways or not."""
    rng = np.random.default_rng([seed, 5])
    widths = [tuple(map(int, rng.integers(1, most + 1, 2))) for _ in range(4)]
    if most < 8:
        widths[0] = widths[0][0], 1  # beside pixels of eight bits
    network = random_widths(
        seed, widths, gates=gates, groups=(1, 2), channels=12, size=6, last_bits=most
    )
    edge = network.input.output
    image = rng.integers(edge.lo, edge.hi + 1, edge.shape)
    return network_job(compile_network(network, config), image)


# The configurations of tests/rtl/test_every_width.py, so that their simulators are there.
@pytest.mark.parametrize(
    ("name", "most"), [("bricks", 8), ("serial", 8), ("subword", 8), ("xnor", 4)]
)
def test_networks_of_all_widths(name, most):
    """Changes of mode, packing, dense weights, precision gating; programs one after the other."""
    config = unit(name)
    jobs = [random_job(config, seed, most) for seed in range(4)]
    for n, memory in enumerate((DEFAULT, SLOW)):
        assert_equal(config, jobs[2 * n : 2 * n + 2], memory)
    used = {step.fields.get("mode", 0) for job in jobs for step in job.program.steps}
    assert len(used) > 3 or name not in ("bricks", "serial")
    if name != "serial":
        assert any(step.fields.get("operation") == 3 for job in jobs for step in job.program.steps)
    if name == "bricks":
        assert any(step.fields.get("bits") for j in jobs for step in j.program.steps)


def test_vectors_of_small_numbers():
    """What vectors hold decides on their modes, and so on the time."""
    config = load("tiny", TRIMMED)
    jobs = [random_job(config, seed, 8, gates=(None,)) for seed in range(4)]
    for n, memory in enumerate((DEFAULT, SLOW)):
        found = assert_equal(config, jobs[2 * n : 2 * n + 2], memory)
        for prediction in found:
            assert len(prediction.modes) > 4
            dots = sum(counts.dot_products for counts in prediction.modes.values())
            assert dots == prediction.operations["dot_products"]
        # Numbers are smaller than their widths: in fewer cycles than without looking at them.
        slower = Model(config, memory).run(jobs[2 * n].program, bases=jobs[2 * n].bases)
        assert found[0].counters["ARRAY_BUSY"] < slower.counters["ARRAY_BUSY"]
