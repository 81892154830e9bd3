"""Random networks on random configurations."""

from dataclasses import dataclass

import numpy as np

from hwgen.compiler.compiled import Compiled
from hwgen.compiler.network import compile_network
from hwgen.compiler.tiles import ORDERS
from hwgen.config import Config
from hwgen.errors import UserError
from hwgen.simulator.compare import profile
from hwgen.simulator.rtl import MemoryModel

from ..configurations import random_configuration
from ..random_networks import random_network
from .program import prove

__all__ = ["NETWORKS", "Trial", "prove_random", "trials"]

NETWORKS = 2
"""On each configuration."""

RUNS = 2
REFUSALS = ("raise memory.", "drain.pool = false")
"""What a network may ask for that a small configuration does not have."""

DRAWS = 200
"""Networks that may be refused for one of these before one is not."""


@dataclass(frozen=True)
class Trial:
    """A network, compiled, and images for some runs of it."""

    compiled: Compiled
    order: str | None
    images: np.ndarray
    refused: int  # networks that were drawn before it


def _trial(rng: np.random.Generator, config: Config, name: str) -> Trial:
    for refused in range(DRAWS):
        network = random_network(rng, config, name)
        batch = int(rng.choice([1, 1, 2, 3, 5]))
        order = str(rng.choice(ORDERS)) if rng.random() < 0.4 else None
        edge = network.input.output
        images = rng.integers(edge.lo, edge.hi + 1, (RUNS * batch, *edge.shape))
        densities = profile(network, images) if rng.random() < 0.7 else None
        try:
            compiled = compile_network(network, config, densities, batch=batch, order=order)
        except UserError as refusal:
            if not any(text in str(refusal) for text in REFUSALS):
                raise
            last = refusal
            continue
        return Trial(compiled, order, images, refused)
    raise RuntimeError(f"{config.name} can run none of {DRAWS} random networks: {last}")


def trials(seed: int) -> list[Trial]:
    """The configuration of ``seed`` with its networks."""
    rng = np.random.default_rng(seed)
    config = random_configuration(rng, f"random{seed}")
    return [_trial(rng, config, f"random{seed}-{number}") for number in range(NETWORKS)]


def memories(rng: np.random.Generator) -> list[MemoryModel]:
    """One that the cycle model knows, and one that stalls at random."""
    regular = MemoryModel(int(rng.integers(1, 40)), float(rng.choice([1.0, 0.77, 0.5, 0.2])))
    stalling = MemoryModel(
        int(rng.integers(1, 40)), float(rng.choice([1.0, 0.5])), float(rng.choice([0.1, 0.4]))
    )
    return [regular, stalling]


def prove_random(seed: int) -> dict:
    """All networks of ``seed``; facts for the report, see :func:`sim.proof.program.prove`."""
    rng = np.random.default_rng([seed, 1])
    facts = {"networks": 0, "layers": 0, "gated": 0, "edges": 0, "cycles": 0, "refused": 0}
    for number, trial in enumerate(trials(seed)):
        compiled = trial.compiled
        try:
            found = prove(compiled, trial.images, memories(rng), seed=seed)
        except Exception as error:
            error.add_note(
                f"seed {seed}, network {number}, batch {compiled.batch}, order {trial.order}"
            )
            raise
        facts["networks"] += 1
        facts["layers"] += len(compiled.network.layers)
        facts["gated"] += len(compiled.network.gated)
        facts["refused"] += trial.refused
        for key in ("edges", "cycles"):
            facts[key] += found[key]
    return facts
