"""Cycles of whole networks: the model and the RTL agree in every counter, image after image."""

from pathlib import Path

import numpy as np
import pytest

from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.simulator.rtl import MemoryModel
from models.netfile import load as load_network
from models.reference import prepare
from models.zoo.synthetic import every_kind
from sim.networks import image_of

from .comparison import assert_equal, network_job

ZOO = Path(__file__).parents[2] / "models" / "zoo"


@pytest.mark.parametrize("name", ["tiny", "cgnet8"])
@pytest.mark.parametrize("memory", [MemoryModel(1), MemoryModel(33, 0.4)])
def test_every_kind_of_layer(name, memory):
    network = every_kind(5)
    compiled = compile_network(network, load(name))
    jobs = [network_job(compiled, image_of(network, seed)) for seed in range(2)]
    assert_equal(load(name), jobs, memory, instructions=name == "tiny")


def test_the_shipped_network():
    network = load_network(ZOO / "fashion_small.safetensors")
    with np.load(ZOO / "fashion_sample.npz") as sample:
        images = prepare(network, sample["images"][:2])
    compiled = compile_network(network, load("cgnet8"))
    predictions = assert_equal(
        load("cgnet8"), [network_job(compiled, image) for image in images], MemoryModel()
    )
    names = {layer.name for layer in network.layers}
    for prediction in predictions:
        layers = prediction.layers()
        assert layers and layers.keys() <= names
        assert max(end for _, end in layers.values()) <= prediction.cycles
