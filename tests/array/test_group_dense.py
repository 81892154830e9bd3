"""Dense passes of a group, gated or not, against its model."""

import random

import pytest

from hwgen.config import load

from .group_bench import Drain, GroupBench, Pass, Stalls

SHAPES = {
    "tiny": {"array.clusters": 2},
    "one-engine": {
        "array.engines": 2,
        "array.group": 1,
        "array.slots": 3,
        "array.lanes": 4,
        "memory.weight_slots": 1,
    },
    "four-engines": {
        "array.engines": 8,
        "array.group": 4,
        "array.slots": 5,
        "array.lanes": 2,
        "memory.weight_slots": 2,
        "memory.weight_words": 1024,
        "memory.parameter_words": 64,
    },
    "one-slot": {
        "array.engines": 4,
        "array.group": 2,
        "array.slots": 1,
        "array.lanes": 4,
        "array.queue": 3,
        "array.rows": 16,
        "memory.weight_slots": 2,
    },
}
STALLS = {
    "none": Stalls(),
    "some": Stalls(vectors=0.3, chain=0.3, weights=0.3, items=0.3, commands=0.3),
    "vectors": Stalls(vectors=0.8, chain=0.1),
    "weights": Stalls(weights=0.9),
    "items": Stalls(items=0.8, chain=0.8),
}


def configuration(shape, gated, mac="parallel"):
    return load("tiny", SHAPES[shape] | {"array.gated": gated, "array.mac": mac})


def operands(rng, config, vectors, slots):
    """A chunk: random vectors, random weights by slot."""
    lanes = config.array.lanes
    return (
        [[rng.randrange(256) for _ in range(lanes)] for _ in range(vectors)],
        [
            [rng.randrange(-128, 128) for _ in range(lanes)]
            for _ in range(config.array.group * slots)
        ],
    )


def dense_tiles(config, sizes, seed):
    """Tiles of (positions, slots, chunks of each pass), on alternating banks; each drains beside the next."""
    rng = random.Random(seed)

    def build(model):
        for tile, (positions, slots, *passes) in enumerate(sizes):
            shared = {"bank": tile % 2, "slots": slots, "positions": positions}
            for n, chunks in enumerate(passes):
                yield Pass(
                    {
                        "first": n == 0,
                        "gate": 0,
                        "conditional": 0,
                        "signed": rng.randrange(2),
                        "clear_counts": 0,
                        "chunks": chunks,
                    }
                    | shared,
                    [operands(rng, config, positions, slots) for _ in range(chunks)],
                    drains=max(0, tile - 1),
                )
            yield Drain(shared | {"source": 0})

    return build


@pytest.mark.parametrize("gated", [False, True], ids=["dense", "gated"])
@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("shape", SHAPES)
def test_tiles(shape, stalls, gated):
    """Several tiles of one or two passes, among them tiny ones and one without positions."""
    config = configuration(shape, gated)
    slots = config.array.slots
    most = config.positions_per_cluster
    sizes = [
        (3, slots, 2),
        (min(most, 7), max(1, slots - 1), 1, 3),
        (0, slots, 2),
        (1, 1, 4, 1),
        (2, slots, 3),
    ]
    GroupBench(
        config, dense_tiles(config, sizes, shape), seed=f"{shape} {stalls}", stalls=STALLS[stalls]
    ).run()
