"""The networks of few bits that ship, as programs of the configurations that they are for."""

import pytest

from hwgen.config import load
from models.reference import prepare
from models.zoo import fashion_sample, load_shipped

from .test_network import check


@pytest.mark.parametrize(
    ("name", "configuration"),
    [
        ("fashion_mixed", "bitfusion8"),
        ("fashion_mixed", "stripes8"),
        ("fashion_binary", "bnn"),
    ],
)
def test_it_computes_what_the_reference_does(name, configuration):
    network = load_shipped(name)
    images = prepare(network, fashion_sample()[0][:1])
    check(network, load(configuration), 1, images=images)
