"""Random convolutions, compiled and executed in integers, units in random order."""

from types import SimpleNamespace

import numpy as np
import pytest

from hwgen.compiler.convolution import Lowering, lower_convolution
from hwgen.compiler.memory import Buffers
from hwgen.compiler.pipeline import schedule
from hwgen.compiler.program import Builder
from hwgen.config import load
from hwgen.errors import UserError
from hwgen.isa.packing import pack
from hwgen.simulator.machine import Machine

from .layers import random_case


def execute(config, case, seed):
    builder = Builder()
    buffers = Buffers(config)
    schedule(config, buffers, lower_convolution(config, builder, buffers, case.layer))
    program = builder.finish()
    for step in program.steps:
        pack(step.name, wait=step.wait, post=step.post, config=config, **step.fields)
    memory = bytearray(program.constants + case.memory)
    target = len(memory)
    memory += bytes(case.layer.output.bytes)
    Machine(config, memory, [0, len(program.constants), target], seed=seed).run(program)
    return case.layer.output.unpack(bytes(memory[target:]))


@pytest.mark.parametrize("gate", [None, "channel", "precision"])
@pytest.mark.parametrize("name", ["cgnet8", "tiny"])
def test_random_layers(name, gate):
    config = load(name)
    rng = np.random.default_rng([name == "tiny", ["channel", "precision", None].index(gate)])
    done = 0
    for seed in range(25):
        case = random_case(rng, config, gate=gate, largest=20 if name == "cgnet8" else 12)
        try:
            got = execute(config, case, seed)
        except UserError as refusal:
            assert "raise memory." in str(refusal)
            continue
        np.testing.assert_array_equal(got, case.expected)
        done += 1
    assert done > 15


def test_dense_twin_refuses_a_gate():
    config = load("baseline8")
    case = random_case(np.random.default_rng(1), config, gate="channel")
    with pytest.raises(UserError, match=r"layer layer: it is gated, configuration baseline8"):
        execute(config, case, 0)


def test_a_missing_token_shows():
    """The machine's random order is what proves tokens right: drop one and results change or it
    stops.
    """
    config = load("tiny")
    rng = np.random.default_rng(7)
    seen = 0
    for seed in range(20):
        case = random_case(rng, config, gate="channel", largest=10)
        builder = Builder()
        buffers = Buffers(config)
        schedule(config, buffers, lower_convolution(config, builder, buffers, case.layer))
        program = builder.finish()
        for step in program.steps:
            if step.name == "DRAIN":
                step.wait.clear()
        memory = bytearray(program.constants + case.memory)
        target = len(memory)
        memory += bytes(case.layer.output.bytes)
        try:
            Machine(config, memory, [0, len(program.constants), target], seed=seed).run(program)
        except (RuntimeError, TypeError, KeyError):
            seen += 1
            continue
        seen += (case.layer.output.unpack(bytes(memory[target:])) != case.expected).any()
    assert seen == 20


def test_refuses_sums_that_the_gate_could_not_tell_from_its_mark():
    weights = np.full((1, 66_400, 1, 1), -127, np.int8)
    layer = SimpleNamespace(name="huge", weights=weights, gate=object())
    with pytest.raises(UserError, match="layer huge: sums of a gated layer must stay below 2.31"):
        Lowering(load("tiny"), None, None, layer)


def test_refuses_a_residual_where_the_drain_has_none():
    weights = np.ones((1, 4, 1, 1), np.int8)
    layer = SimpleNamespace(name="sum", weights=weights, gate=None, residual=object())
    with pytest.raises(
        UserError, match="layer sum: it adds a residual, .* micro has drain.residual"
    ):
        Lowering(load("micro"), None, None, layer)
