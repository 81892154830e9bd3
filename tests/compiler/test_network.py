"""Whole networks with every kind of layer, compiled and executed in integers."""

import numpy as np
import pytest

from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.errors import UserError
from hwgen.simulator.machine import Machine
from models.reference import run
from models.zoo.synthetic import every_kind


@pytest.mark.parametrize("name", ["cgnet8", "tiny"])
@pytest.mark.parametrize("seed", range(3))
def test_every_kind_of_layer(name, seed):
    network = every_kind(seed)
    compiled = compile_network(network, load(name))
    edge = network.input.output
    image = np.random.default_rng(seed).integers(edge.lo, edge.hi + 1, (1, *edge.shape))
    expected = run(network, image, taps=True)
    program = compiled.program
    bases = [0, len(program.constants), len(program.constants) + compiled.input.bytes]
    memory = bytearray(
        program.constants + compiled.input.pack(image[0]) + bytes(compiled.work_bytes)
    )
    Machine(compiled.config, memory, bases, seed=seed).run(program)
    for layer, view in compiled.views.items():
        start = bases[view.tensor.base] + view.tensor.offset
        want = expected.taps[layer][0]
        got = view.unpack(bytes(memory[start : start + view.tensor.bytes]))
        np.testing.assert_array_equal(got.reshape(want.shape), want, err_msg=layer)


def test_a_gated_network_is_refused_by_the_dense_twin():
    with pytest.raises(UserError, match=r"^layer first: it is gated, configuration baseline8"):
        compile_network(every_kind(0), load("baseline8"))
