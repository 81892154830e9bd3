"""Dense passes of a group, gated or not, against its model."""

import random

import pytest

from .group_bench import SHAPES, STALLS, Drain, GroupBench, Pass, configuration, operands, widths


def dense_tiles(config, sizes, seed):
    """Tiles (positions, slots, chunks of each pass); each drains beside the next one."""
    rng = random.Random(seed)

    def build(model):
        for tile, (positions, slots, *passes) in enumerate(sizes):
            shared = {"bank": tile % 2, "slots": slots, "positions": positions}
            for n, chunks in enumerate(passes):
                width = widths(rng, config)
                mode = width.get("mode", 0)
                yield Pass(
                    {
                        "first": n == 0,
                        "gate": 0,
                        "conditional": 0,
                        "signed": rng.randrange(2),
                        "clear_counts": 0,
                        "chunks": chunks,
                    }
                    | shared
                    | width,
                    [operands(rng, config, positions, slots, mode) for _ in range(chunks)],
                    drains=max(0, tile - 1),
                )
            yield Drain(shared | {"source": 0})

    return build


MODES = {
    "bricks": ("bricks", ["8x8", "2x2", "4x4", "2x8", "8x4", "4x2", "3x3"]),
    "serial-all": ("serial", [f"{bits}x8" for bits in (1, 8, 2, 3, 4, 5, 6, 7)]),
    "subword": ("subword", ["8x8", "4x4"]),
    "xnor": ("xnor", []),
}

CASES = [(shape, "none", 0) for shape in SHAPES] + [(shape, "some", 1) for shape in SHAPES]
CASES += [("tiny", stalls, 0) for stalls in STALLS]


@pytest.mark.parametrize(("shape", "stalls", "gated"), dict.fromkeys(CASES))
def test_tiles(shape, stalls, gated, mac="parallel", modes=()):
    """Several tiles of one or two passes, among them tiny ones and one without positions."""
    config = configuration(shape, bool(gated), mac, modes)
    slots = config.array.slots
    most = config.positions_per_cluster
    sizes = [
        (3, slots, 2),
        (min(most, 7), max(1, slots - 1), 1, 3),
        (0, slots, 2),
        (1, 1, 4, 1, 1, 2),
        (2, slots, 3),
    ]
    build = dense_tiles(config, sizes, shape)
    GroupBench(config, build, seed=f"{shape} {stalls}", stalls=STALLS[stalls]).run()


@pytest.mark.parametrize("gated", [0, 1])
def test_serial_units(gated):
    """The group does not know which unit is in."""
    test_tiles("tiny", "some", gated, mac="serial")


@pytest.mark.parametrize("name", MODES)
def test_modes(name):
    """Each pass in a mode of its own, and banks that are filled in several."""
    gated = name in ("bricks", "serial-all")
    shape = {"subword": "one-slot"}.get(name, "tiny")
    test_tiles(shape, "some", gated, *MODES[name])


@pytest.mark.parametrize("gated", [False, True])
def test_no_bubbles(gated):
    """With vectors and weights in time there is a row in each cycle, over chunks and commands."""
    config = configuration("tiny", gated).override({"array.clusters": 1})
    slots = config.array.slots
    bench = GroupBench(config, dense_tiles(config, [(6, slots, 3, 2), (5, slots, 2)], 1), seed=1)
    outcome = bench.run()
    rows = (6 * 5 + 5 * 2) * slots
    assert len(outcome.busy) == rows
    assert outcome.busy[-1] - outcome.busy[0] + 1 == rows


def test_interval_of_serial_units():
    """Rows of bit-serial units follow one another every eight cycles."""
    config = configuration("tiny", False, "serial")
    bench = GroupBench(config, dense_tiles(config, [(3, config.array.slots, 2)], 1), seed=1)
    outcome = bench.run()
    rows = 3 * config.array.slots * 2
    assert len(outcome.busy) == outcome.busy[-1] - outcome.busy[0] + 1 == 8 * rows


def test_one_row():
    """A row that comes back at once waits for itself; ``done`` comes after ``latency`` cycles."""
    config = configuration("one-slot", False)
    bench = GroupBench(config, dense_tiles(config, [(1, 1, 3)], 1), seed=1)
    outcome = bench.run()
    first, second, third = outcome.busy
    assert third - second >= 4 and second - first >= 4
    assert outcome.status["interlocked"] > 0
    # The status is that of the last cycle.
    assert outcome.done_at[0] - (third - 1) == bench.dut.latency
