"""The networks that ship: whole, right on the images that ship with them, and read twice."""

import numpy as np
import pytest

from hwgen.errors import UserError
from models.netfile import prove_bounds
from models.reference import literal, prepare, run, work
from models.zoo import fashion_sample, load_shipped, shipped, shipped_names


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_networks_cannot_overflow(name):
    network = load_shipped(name)
    prove_bounds(network)
    assert network.gated or name in ("fashion_mixed", "fashion_ternary", "fashion_binary")


def test_fashion_small_classifies_its_sample():
    network = load_shipped("fashion_small")
    images, labels = fashion_sample()
    result = run(network, prepare(network, images))
    assert np.mean(result.classes == labels) >= 0.85
    gated = [row for row in work(result) if row.gate]
    assert sum(row.dense for row in gated) >= 4 * sum(row.done for row in gated)


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("fashion_mixed", ["8x8", "4x4", "2x2", "2x2", "8x8"]),
        ("fashion_ternary", ["8x8", "4x2", "4x2", "4x2", "8x8"]),
        ("fashion_pg43", ["8x8", "4x4", "4x4", "4x4", "8x8"]),
        ("fashion_pg32", ["8x8", "3x4", "3x4", "3x4", "8x8"]),
        ("fashion_binary", ["1x1"] * 5),
    ],
)
def test_networks_of_few_bits_classify_the_sample(name, widths):
    network = load_shipped(name)
    weighted = [layer for layer in network.layers if layer.kind in ("conv", "linear")]
    assert [f"{network.edge(n).bits}x{n.weight_bits}" for n in weighted] == widths
    images, labels = fashion_sample()
    classes = run(network, prepare(network, images)).classes
    assert np.mean(classes == labels) >= 0.82


def test_fashion_small_by_the_literal_reading():
    network = load_shipped("fashion_small")
    images = prepare(network, fashion_sample()[0][:1])
    graph, tensors = literal.read(shipped("fashion_small"))
    # Pure Python needs seconds for a gated layer; the others are like the first.
    last = network.gated[0].name
    expected = literal.compute(graph, tensors, images[0].tolist(), last)
    taps = run(network, images, taps=True).taps
    assert list(expected) == [layer.name for layer in network.layers][: len(expected)]
    for name, values in expected.items():
        assert taps[name][0].tolist() == values, name


def test_a_network_that_does_not_ship():
    with pytest.raises(UserError, match="fashion_small"):
        shipped("resnet1000")
