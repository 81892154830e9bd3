"""Random layers on random configurations: the RTL against the whole layer in integers.

The seeds are fixed. Each configuration is one that nobody ships; it is generated, compiled with
Verilator, and then runs layer after layer without a reset in between, while the memory stalls.
"""

import numpy as np
import pytest

from hwgen.config import Config, load
from hwgen.errors import UserError
from hwgen.simulator.rtl import MemoryModel, RtlSimulator, library
from sim.configurations import random_configuration, random_sequential
from tests.compiler.layers import random_case

from .layers import run_layer
from .reading import read_layer

LAYERS = 16
MEMORY_BYTES = 1 << 23


def random_memory(rng: np.random.Generator) -> MemoryModel:
    """From a fast memory to a slow one that pauses at random."""
    return MemoryModel(
        latency=int(rng.integers(1, 40)),
        bandwidth=float(rng.choice([1.0, 0.5, 0.1])),
        stall=float(rng.choice([0.0, 0.1, 0.4])),
    )


def run_layers(config: Config, seed: int, accept=lambda layer: True) -> None:
    """Random layers that ``accept`` takes, of every kind the configuration knows."""
    rng = np.random.default_rng(seed)
    kinds = [None, "channel", "precision"] if config.array.gated else [None]
    done = 0
    size = min(MEMORY_BYTES, 1 << config.bus.address_width)
    with RtlSimulator(library(config), memory_bytes=size, seed=seed) as simulator:
        while done < LAYERS:
            gate = kinds[done % len(kinds)]
            case = random_case(rng, config, gate=gate, largest=int(rng.integers(8, 15)))
            if not accept(case.layer):
                continue
            simulator.configure(random_memory(rng))
            try:
                got = run_layer(simulator, config, case)
            except UserError as refusal:
                if "raise memory." not in str(refusal):
                    raise
                continue
            want = read_layer(case.layer, case.memory).numpy()
            np.testing.assert_array_equal(got, want, f"{config.name}, layer {done}, gate {gate}")
            np.testing.assert_array_equal(case.expected, want, "the two readings differ")
            done += 1


# 34: two clusters, three groups of two. 21: dense, 256 bits of bus. 49: serial, 32 bits of bus,
# four lanes of the drain. 2: a group of four, 16 rows.
@pytest.mark.parametrize("seed", [34, 21, 49, 2])
def test_random_configuration(seed):
    run_layers(random_configuration(np.random.default_rng(seed), f"random{seed}"), seed)


def test_random_configuration_that_takes_turns():
    run_layers(random_sequential(np.random.default_rng(3), "turns3"), 3)


def test_rows_that_turn():
    """Widths that are multiples of the clusters: positions are dealt along diagonals."""
    settings = {"array.clusters": 4, "array.engines": 1, "array.group": 1, "bus.data_width": 64}
    config = load("tiny", settings | {"name": "diagonal"})
    run_layers(config, 3, lambda layer: layer.output.columns % 4 == 0)


def test_the_smallest_configuration():
    """No queues, no prefetch, no residuals, few bits of addresses, tokens and numbers."""
    run_layers(load("micro"), 5)


def test_drawing_comes_to_an_end():
    """A setting that the schema never accepts."""
    with pytest.raises(RuntimeError, match=r"none of \d+ random .*array.mac: .*, not 'abacus'"):
        random_configuration(np.random.default_rng(0), "random", mac="abacus")
