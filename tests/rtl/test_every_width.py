"""Networks of all widths on the RTL of units with modes, every edge against the integer reference,
while the bus stalls.
"""

import numpy as np
import pytest

from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.simulator.compare import Memory, compare
from models.zoo.widths import random_widths
from tests.compiler.test_widths import GATES, TRIMMED, unit

CYCLES = 3_000_000
EVERY = [(a, w) for a in range(2, 9) for w in range(2, 9)]


def run(network, config, seed, *, batch=1):
    edge, rng = network.input.output, np.random.default_rng(seed)
    images = rng.integers(edge.lo, edge.hi + 1, (2, *edge.shape))
    if edge.bipolar:
        images = rng.choice([-1, 1], images.shape)
    memory = Memory(latency=1 + 8 * (seed % 3), bandwidth=0.8, stall=0.1 * (seed % 4))
    facts = compare(network, config, images, memory=memory, limit=CYCLES, batch=batch)
    assert facts["wrong"] == 0, facts["first_wrong"]
    edges = [layer for layer in network.layers if layer.kind not in ("input", "flatten")]
    assert facts["edges_compared"] == len(images) * len(edges)
    return facts


@pytest.mark.parametrize("name", ["serial", "bricks"])
def test_all_pairs_of_widths(name):
    """From 2 to 8 bits each, gated in all ways or not, in networks of seven pairs."""
    order = np.random.default_rng(11).permutation(len(EVERY))
    fired = 0
    for seed in range(7):
        widths = [EVERY[n] for n in order[seed::7]]
        network = random_widths(seed, widths, gates=GATES, groups=(1, 2), channels=10, size=5)
        fired += run(network, unit(name), seed, batch=1 + seed % 2)["counters"]["FIRED"]
    assert fired > 0


def test_subwords():
    """Multipliers that do one product of 8x8 bits or two of 4x4, in the mode of each layer."""
    config, used = unit("subword"), set()
    for seed, widths in enumerate([[(8, 8), (4, 4), (2, 3), (4, 2)], [(3, 4), (6, 2), (4, 4)]]):
        network = random_widths(
            seed, widths, gates=GATES, groups=(1, 2), channels=10, size=5, last_bits=8
        )
        compiled = compile_network(network, config)
        used |= {s.fields["mode"] for s in compiled.program.steps if s.name == "PASS"}
        run(network, config, seed + 1, batch=1 + seed)
    assert used == {0, 1}


def test_vectors_of_small_numbers():
    """Bit planes that are zero in a whole vector are left out, and nothing else."""
    for seed in range(2):
        widths = [(8, 4), (5, 8), (7, 3), (1, 2)]
        network = random_widths(seed, widths, groups=(1, 2), channels=10, size=5)
        run(network, load("tiny", TRIMMED), seed + 1, batch=1 + seed)


def test_tiles_of_maps_that_stay_on_chip():
    """The next layer reads packed words tile by tile where they were packed; nothing is loaded."""
    network = random_widths(3, [(2, 2)] * 3, channels=8, size=8, residual=False, pool=False)
    config = unit("bricks")
    compiled = compile_network(network, config)
    loads = {s.note.split(":")[0] for s in compiled.program.steps if "load planes" in s.note}
    drains = [s.note for s in compiled.program.steps if s.note.startswith("conv0: drain")]
    assert "conv1" not in loads and "conv2" not in loads and len(drains) > 1
    run(network, config, 2)
    run(network, config, 3)


def test_signs_and_bits_on_an_xnor_array():
    """-1 and 1 in each layer, and numbers of up to four bits beside them."""
    for seed in range(3):
        signs = random_widths(
            seed, [(1, 1)] * 3, signs=(True,), channels=16 + 4 * seed, residual=False, last_bits=1
        )
        run(signs, unit("xnor"), seed)
        widths = [(1, 1), (3, 2), (4, 4)]
        more = random_widths(seed, widths, gates=GATES, channels=12, size=5, last_bits=4)
        run(more, unit("xnor"), seed, batch=2)


@pytest.mark.parametrize(("bits", "high"), [(4, 3), (3, 2), (5, 3), (6, 4), (8, 4)])
def test_precision_gating(bits, high):
    """High bits first, low bits where the gate says so, each in a mode of its own."""
    network = random_widths(
        bits, [(bits, 4)] * 3, gates=("precision", "both"), high_bits=high, channels=12
    )
    assert {layer.gate.high_bits for layer in network.gated} == {high}
    assert run(network, unit("serial"), bits)["counters"]["FIRED"] > 0
