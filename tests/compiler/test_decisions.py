"""Masks of a network in the order of a program: what running it in integers finds."""

import numpy as np
import pytest

from hwgen.compiler.decisions import decisions
from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.simulator.machine import Machine
from models.reference import run as reference
from models.zoo.synthetic import every_kind
from sim.networks import example


@pytest.mark.parametrize("config", [load("tiny"), load("cgnet8"), load("tiny", ["array.rows=16"])])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("network", [every_kind(5), example(2)], ids=lambda n: n.name)
def test_decisions_are_those_of_the_program(network, config, batch):
    edge = network.input.output
    images = np.random.default_rng(batch).integers(edge.lo, edge.hi + 1, (batch, *edge.shape))
    masks = reference(network, images, masks=True).masks
    densities = {name: mask.mean((0, 2, 3)) for name, mask in masks.items()}
    compiled = compile_network(network, config, densities, batch=batch)
    constants = compiled.program.constants
    packed = compiled.input.pack(images if batch > 1 else images[0])
    bases = [0, len(constants), len(constants) + len(packed)]
    machine = Machine(config, bytearray(constants + packed + bytes(compiled.work_bytes)), bases)
    machine.run(compiled.program)
    found = decisions(config, compiled.program, masks)
    assert len(found) == len(machine.fired) > 0
    for got, want in zip(found, machine.fired, strict=True):
        assert np.array_equal(got, want)
    assert sum(fired.sum() for fired in found) == sum(mask.sum() for mask in masks.values())
