"""Fewer bits for a network that is integers already."""

import numpy as np
import pytest

from hwgen.tuning import Narrower, families
from models.reference import prepare, run

from .networks import pixels, small

LAYERS = ("stem", "gated", "last", "classifier")


def _narrower(network, count=40):
    images = prepare(network, pixels(count))
    return Narrower(network, images), images


def test_nothing_changes_where_nothing_is_asked_for():
    network = small()
    narrower, _ = _narrower(network)
    same = narrower.network(dict.fromkeys(LAYERS, 8), {"stem": 8})
    assert same.graph == network.graph
    assert all(np.array_equal(same.tensors[n], a) for n, a in network.tensors.items())


@pytest.mark.parametrize("seed", range(3))
def test_weights_that_fit_four_bits_lose_nothing(seed):
    """M, B, S and theta follow the step of the weights: results and decisions stay."""
    network = small(seed, coarse=True)
    narrower, images = _narrower(network)
    narrow = narrower.network(dict.fromkeys(LAYERS, 4), {})
    for name in LAYERS:
        before, after = network.weight(network.layer(name)), narrow.weight(narrow.layer(name))
        np.testing.assert_array_equal(before, 16 * after.astype(int))
        assert narrow.layer(name).weight_bits == 4
    old, new = (run(n, images, taps=True, masks=True) for n in (network, narrow))
    assert 0.1 < old.density("gated") < 0.9
    np.testing.assert_array_equal(old.masks["gated"], new.masks["gated"])
    for name in network.by_name:
        np.testing.assert_array_equal(old.taps[name], new.taps[name], name)


def test_more_bits_lose_less():
    """In real numbers (integer times scale) results come nearer to those of 8 bits."""
    network = small(5)
    narrower, images = _narrower(network)
    family = families(network)
    exact, errors = run(network, images).logits, []
    for bits in (2, 3, 4, 5, 6, 7):
        weights = dict.fromkeys(LAYERS, bits)
        edges = {family[name]: bits for name in ("stem", "pool", "mean")}
        narrow = narrower.network(weights, edges)
        assert [narrow.layer(n).output.bits for n in ("stem", "gated", "pool", "mean")] == [
            bits
        ] * 4
        assert narrow.layer("last").output.bits == 8
        errors.append(np.abs(run(narrow, images).logits - exact).mean())
    assert errors[0] > errors[2] > errors[4] and errors[1] > errors[3] > errors[5]
    assert 4 * errors[5] < errors[0]


def test_more_bits_than_there_are_and_steps_that_cannot_be_are_refused():
    network = small()
    narrower, _ = _narrower(network)
    narrow = narrower.network({}, {"stem": 4})
    with pytest.raises(ValueError, match="layer 'stem' has fewer bits"):
        Narrower(narrow, prepare(narrow, pixels(4))).network({}, {"stem": 5})
