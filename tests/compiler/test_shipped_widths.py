"""The networks of few bits that ship, as programs of the configurations that they are for."""

import pytest

from hwgen.bench.whole import Case, ungated
from hwgen.bench.whole import run as measured
from hwgen.config import load
from hwgen.simulator.rtl import MemoryModel
from models.reference import prepare, run
from models.zoo import fashion_sample, load_shipped

from .test_network import check

DEAR = 1.10
"""What precision gating may take beside the ideal."""


@pytest.mark.parametrize(
    ("name", "configuration"),
    [
        ("fashion_mixed", "bitfusion8"),
        ("fashion_mixed", "stripes8"),
        ("fashion_binary", "bnn"),
        ("fashion_pg43", "pg43"),
    ],
)
def test_it_computes_what_the_reference_does(name, configuration):
    network = load_shipped(name)
    images = prepare(network, fashion_sample()[0][:1])
    check(network, load(configuration), 1, images=images)


def test_precision_gating_takes_the_bits_that_it_needs():
    """Cycles of the gated layers over those of all four bits are within 10 % of B_avg / B."""
    network, config = load_shipped("fashion_pg43"), load("pg43")
    batch = 4
    images = prepare(network, fashion_sample()[0][:batch])
    masks = run(network, images, masks=True).masks
    found = {}
    for name, case in (
        ("gated", Case.of(network, config, masks, batch)),
        ("whole", Case.of(ungated(network), config, None, batch)),
    ):
        layers = measured(case, MemoryModel())["layers"]
        found[name] = sum(one["cycles"] for one in layers if one["layer"] in masks)
    outputs = sum(mask.size for mask in masks.values())
    bits = 3 + sum(mask.sum() for mask in masks.values()) / outputs
    assert bits / 4 < 0.9
    assert found["gated"] / found["whole"] <= DEAR * bits / 4
