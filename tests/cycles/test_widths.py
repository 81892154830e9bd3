"""Cycles of networks of all widths: the model and the RTL agree in every counter."""

import numpy as np
import pytest

from hwgen.compiler.network import compile_network
from hwgen.config import Config
from hwgen.simulator.rtl import MemoryModel
from models.zoo.widths import random_widths
from tests.compiler.test_widths import GATES, unit

from .comparison import Job, assert_equal, network_job

DEFAULT, SLOW = MemoryModel(), MemoryModel(33, 0.3)


def random_job(config: Config, seed: int, most: int) -> Job:
    """A network whose layers have widths of up to ``most`` bits, gated in all ways or not."""
    rng = np.random.default_rng([seed, 5])
    widths = [tuple(map(int, rng.integers(1, most + 1, 2))) for _ in range(4)]
    if most < 8:
        widths[0] = widths[0][0], 1  # beside pixels of eight bits
    network = random_widths(
        seed, widths, gates=GATES, groups=(1, 2), channels=12, size=6, last_bits=most
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
