"""Random networks on random configurations: every edge, and every counter on a regular memory.

``python -m sim.proof random`` runs more of them. The configurations are some of test_random.py, so
that their simulators are there.
"""

import numpy as np
import pytest

from hwgen.compiler import passes
from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.simulator.rtl import MemoryModel
from models.zoo.synthetic import every_kind
from sim.proof.program import Difference, prove
from sim.proof.random import prove_random, trials


@pytest.mark.parametrize("seed", [34])
def test_random_networks(seed):
    facts = prove_random(seed)
    assert facts["networks"] == 2 and facts["edges"] > 0


def test_the_networks_have_every_kind_of_layer():
    """Those of a few seeds together."""
    drawn = [trial.compiled for seed in range(12) for trial in trials(seed)]
    networks = [compiled.network for compiled in drawn]
    layers = [layer for network in networks for layer in network.layers]
    assert {layer.kind for layer in layers} == {layer.kind for layer in every_kind(0).layers}
    gates = {layer.gate.kind for network in networks for layer in network.gated}
    assert gates == {"channel", "precision"}
    convolutions = [layer for layer in layers if layer.kind == "conv"]
    assert any(layer.residual for layer in convolutions)
    assert any(layer.groups == layer.in_channels > 1 for layer in convolutions)
    assert {compiled.batch for compiled in drawn} > {1, 2}


def compiled_and_images(batch=2):
    network = every_kind(5)
    edge = network.input.output
    images = np.random.default_rng(1).integers(edge.lo, edge.hi + 1, (batch, *edge.shape))
    return compile_network(network, load("tiny"), batch=batch), images


def test_a_wrong_edge_is_told(monkeypatch):
    """A pass that begins a column late is found in integers and on the Verilog."""
    late = passes.PassEmitter.a_pass

    def a_pass(self, tile, block, number, segment, buffer, *arguments, **options):
        shifted = buffer + (self.layer.name == "first")
        return late(self, tile, block, number, segment, shifted, *arguments, **options)

    monkeypatch.setattr(passes.PassEmitter, "a_pass", a_pass)
    compiled, images = compiled_and_images()
    with pytest.raises(Difference, match="in integers: layer first, image 0"):
        prove(compiled, images, [])
    with pytest.raises(Difference, match="on the Verilog, .*: layer first, image 0"):
        prove(compiled, images, [MemoryModel(3, stall=0.2)], integers=False)


def test_a_wrong_cycle_is_told(monkeypatch):
    compiled, images = compiled_and_images()
    monkeypatch.setattr("sim.proof.program.replace", lambda memory, stall: MemoryModel(5))
    with pytest.raises(Difference, match="is .* on the Verilog, .* in the model"):
        prove(compiled, images, [MemoryModel(4)], integers=False)
