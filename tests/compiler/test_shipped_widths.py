"""The networks of few bits that ship, as programs of the configurations that they are for."""

import pytest

from hwgen.bench.precision_gating import of_network
from hwgen.config import load
from models.reference import prepare
from models.zoo import fashion_sample, load_shipped

from .test_network import check

DEAR = 1.10
"""What precision gating may take beside the ideal."""


@pytest.mark.parametrize(
    ("name", "configuration"),
    [
        ("fashion_mixed", "bitfusion8"),
        ("fashion_mixed", "stripes8"),
        ("fashion_ternary", "bitfusion8"),
        ("fashion_binary", "bnn"),
        ("fashion_pg43", "pg43"),
        ("fashion_pg32", "pg43"),
    ],
)
def test_it_computes_what_the_reference_does(name, configuration):
    network = load_shipped(name)
    images = prepare(network, fashion_sample()[0][:1])
    check(network, load(configuration), 1, images=images)


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(("name", "bits"), [("fashion_pg43", (4, 3)), ("fashion_pg32", (3, 2))])
def test_precision_gating_takes_the_bits_that_it_needs(name, bits, batch):
    """Cycles of the gated layers over those of all bits are within 10 % of B_avg / B."""
    network = load_shipped(name)
    images = prepare(network, fashion_sample()[0][:batch])
    *layers, whole = of_network(network, load("pg43"), images)
    assert [(row["layer"], row["bits"], row["high_bits"]) for row in layers] == [
        (layer.name, *bits) for layer in network.gated
    ]
    assert whole["cycles"] == sum(row["cycles"] for row in layers)
    assert bits[1] / bits[0] < whole["ideal"] < 0.9
    assert whole["part"] <= DEAR * whole["ideal"]
