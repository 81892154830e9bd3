"""Layers of fewer bits take fewer cycles, also small ones at batch 1."""

from hwgen.bench.widths import swept
from hwgen.config import load


def test_small_layers_gain_what_their_bits_do():
    config = load("bitfusion8")
    alone, *_ = swept(config, shapes=((64, 16),), batches=(1,), depths=(1,))
    assert alone["gains"]["4x4"] > 3.8 and alone["gains"]["2x2"] > 14.2
    chain, *_ = swept(config, shapes=((64, 16),), batches=(1,), depths=(3,))
    assert chain["gains"]["4x4"] > 3.9 and chain["gains"]["2x2"] > 15
