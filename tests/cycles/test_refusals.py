"""What the model refuses, in one line."""

import numpy as np
import pytest

from hwgen.bench.workloads import masked_layer
from hwgen.config import load
from hwgen.cycles import Model, predict
from hwgen.errors import UserError
from hwgen.simulator.rtl import MemoryModel


@pytest.fixture(scope="module")
def config():
    return load("tiny")


@pytest.fixture(scope="module")
def program(config):
    return masked_layer(config, np.ones((1, 32, 4, 4), bool)).program


def test_a_memory_that_stalls(config):
    with pytest.raises(UserError, match="memory stall: must be 0"):
        Model(config, MemoryModel(stall=0.1))


def test_decisions_of_another_program(config, program):
    with pytest.raises(UserError, match=r"the program has \d+ gates; decisions of 1 given"):
        predict(config, program, [np.ones((8, 16), bool)])
    gates = [s for s in program.steps if s.name == "PASS" and s.fields["gate"]]
    with pytest.raises(UserError, match=r"decisions must be \(8, 16\), not \(3, 3\)"):
        predict(config, program, [np.ones((3, 3), bool)] * len(gates))


def test_a_program_that_takes_too_long(config, program):
    model = Model(config)
    with pytest.raises(UserError, match="the program has not ended after 100 cycles"):
        model.run(program, limit=100)
    assert model.run(program).counters == predict(config, program).counters


def test_without_decisions_every_output_fires(config, program):
    prediction = predict(config, program)
    assert prediction.counters["FIRED"] == 32 * 4 * 4
    assert prediction.macs == 4 * prediction.operations["dot_products"]
