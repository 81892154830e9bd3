"""Dense passes of a group, gated or not, against its model."""

import random

import pytest

from .group_bench import SHAPES, STALLS, Drain, GroupBench, Pass, configuration, operands


def dense_tiles(config, sizes, seed):
    """Tiles (positions, slots, chunks of each pass); each drains beside the next one."""
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
