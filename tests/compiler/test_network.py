"""Whole networks with every kind of layer, compiled and executed in integers."""

import numpy as np
import pytest

from hwgen.compiler.network import compile_network
from hwgen.compiler.program import encode
from hwgen.config import load
from hwgen.errors import UserError
from hwgen.simulator.machine import Machine
from models.reference import run
from models.zoo.synthetic import every_kind
from models.zoo.widths import random_widths


def check(network, config, seed, *, batch=1, images=None, **how):
    """Every edge of a run is what the reference says, whatever order the units work in."""
    compiled = compile_network(network, config, batch=batch, **how)
    edge = network.input.output
    if images is None:
        rng, shape = np.random.default_rng(seed), (batch, *edge.shape)
        images = rng.integers(edge.lo, edge.hi + 1, shape)
        if edge.bipolar:
            images = rng.choice([-1, 1], shape)
    expected = run(network, images, taps=True)
    program = compiled.program
    encode(program, config)  # refuses what the configuration would
    bases = [0, len(program.constants), len(program.constants) + compiled.input.bytes]
    packed = compiled.input.pack(images if batch > 1 else images[0])
    work = np.random.default_rng(seed).bytes(compiled.work_bytes)  # left over by something else
    memory = bytearray(program.constants + packed + work)
    Machine(compiled.config, memory, bases, seed=seed).run(program)
    for layer, view in compiled.views.items():
        start = bases[view.tensor.base] + view.tensor.offset
        want = expected.taps[layer]
        got = view.unpack(bytes(memory[start : start + view.tensor.bytes]))
        np.testing.assert_array_equal(got.reshape(want.shape), want, err_msg=layer)


@pytest.mark.parametrize("name", ["cgnet8", "tiny"])
@pytest.mark.parametrize("seed", range(3))
def test_every_kind_of_layer(name, seed):
    check(every_kind(seed), load(name), seed)


@pytest.mark.parametrize("name", ["cgnet8", "tiny"])
@pytest.mark.parametrize(
    ("batch", "order"), [(1, "weight"), (2, "output"), (5, None), (4, "input")]
)
def test_batches_and_forced_orders(name, batch, order):
    check(every_kind(batch), load(name), batch, batch=batch, order=order)


def test_a_gated_network_is_refused_by_the_dense_twin():
    with pytest.raises(UserError, match=r"^layer first: it is gated, configuration baseline8"):
        compile_network(every_kind(0), load("baseline8"))


@pytest.mark.parametrize("name", ["cgnet8", "tiny"])
@pytest.mark.parametrize("seed", range(3))
def test_layers_of_few_bits_on_an_array_of_eight(name, seed):
    """Both gatings in a network, and both in one layer."""
    rng = np.random.default_rng(seed)
    widths = [tuple(map(int, rng.integers(1, 9, 2))) for _ in range(6)]
    gates = ("channel", "precision", "both")
    check(random_widths(seed, widths, gates=gates, groups=(1, 2)), load(name), seed)
