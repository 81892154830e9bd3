"""Whole networks on the RTL, every edge against the integer reference, while the bus stalls."""

from pathlib import Path

import numpy as np
import pytest

from hwgen.bench.whole import ungated
from hwgen.config import load
from hwgen.simulator.compare import Memory, compare
from models.netfile import load as load_network
from models.reference import prepare
from models.zoo.synthetic import every_kind
from sim.networks import example, image_of

ZOO = Path(__file__).parents[2] / "models" / "zoo"
CYCLES = 20_000_000


def run(network, name, images, memory):
    """Everything equal, and everything compared."""
    facts = compare(network, load(name), images, memory=memory, limit=CYCLES)
    assert facts["wrong"] == 0, facts["first_wrong"]
    edges = [layer for layer in network.layers if layer.kind not in ("input", "flatten")]
    assert facts["edges_compared"] == len(images) * len(edges)
    return facts


@pytest.mark.parametrize("name", ["tiny", "cgnet8"])
@pytest.mark.parametrize(
    "memory", [Memory(latency=1), Memory(latency=33, bandwidth=0.4, stall=0.3)]
)
def test_every_kind_of_layer(name, memory):
    network = every_kind(5)
    images = np.stack([image_of(network, seed) for seed in range(3)])
    facts = run(network, name, images, memory)
    assert facts["counters"]["FIRED"] > 0


def test_the_dense_twin():
    network = example(gated=False)
    images = np.stack([image_of(network, seed) for seed in range(2)])
    facts = run(network, "baseline8", images, Memory(latency=9, stall=0.2))
    assert facts["counters"]["FIRED"] == 0


def test_the_shipped_network():
    network = load_network(ZOO / "fashion_small.safetensors")
    with np.load(ZOO / "fashion_sample.npz") as sample:
        images = prepare(network, sample["images"][:2])
    run(network, "cgnet8", images, Memory(latency=20))


def test_the_shipped_network_without_its_gates():
    """On the smallest configuration, in as many cycles as the model says."""
    network = ungated(load_network(ZOO / "fashion_small.safetensors"))
    with np.load(ZOO / "fashion_sample.npz") as sample:
        images = prepare(network, sample["images"][:1])
    memory = Memory(latency=20)
    facts = run(network, "micro", images, memory)
    said = compare(network, load("micro"), images, backend="cycle", memory=memory)
    assert facts["cycles"] == said["cycles"]
    assert facts["where"] == {} and facts["counters"].keys() == {"CYCLES"}
