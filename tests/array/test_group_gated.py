"""Gated tiles of a group against its model: nothing is lost, doubled or put in the wrong place."""

import random

import pytest

from hwgen.config import load

from .group_bench import SHAPES, STALLS, Drain, GroupBench, Pass, configuration, operands, widths

NEVER, ALWAYS = (1 << 31) - 1, -(1 << 31)


def thresholds(rng, mask, count):
    """Thresholds by slot that make a mask of the wanted kind."""
    kinds = {
        "all": lambda: ALWAYS,
        "none": lambda: NEVER,
        "half": lambda: rng.randrange(-20_000, 20_000),
        "few": lambda: rng.choice([NEVER, NEVER, NEVER, rng.randrange(0, 30_000)]),
        "lumpy": lambda: rng.choice([NEVER, ALWAYS, 0]),
    }
    return [kinds[mask]() for _ in range(count)]


def gated_tiles(config, tiles, seed):
    """Tiles (positions, slots, mask, base chunks before the gate pass, in it, conditional chunks).

    Banks alternate. What has not fired drains beside the conditional pass, the tasks beside the
    base pass of the next tile.
    """
    rng = random.Random(seed)

    def build(model):
        for tile, (positions, slots, mask, base, gate, conditional) in enumerate(tiles):
            shared = {"slots": slots, "positions": positions, "signed": rng.randrange(2)}
            shared |= {"bank": tile % 2, "conditional": 0, "clear_counts": 0}
            limits = thresholds(rng, mask, config.array.group * slots)

            def chunks(count, mode, vectors=positions, slots=slots):
                drawn = [operands(rng, config, vectors, slots, mode) for _ in range(count)]
                for vectors_of_chunk, _ in drawn:
                    for n in range(len(vectors_of_chunk)):
                        if rng.random() < 0.2:  # an empty position: sums of 0, and ties
                            vectors_of_chunk[n] = [0] * config.array.lanes
                return drawn

            early = rng.random() < 0.5  # thresholds come with the first pass, or with the gate
            width = widths(rng, config)
            mode = width.get("mode", 0)
            if base:
                yield Pass(
                    shared | width | {"first": 1, "gate": 0, "chunks": base},
                    chunks(base, mode),
                    thresholds=limits if early else None,
                    drains=max(0, 2 * tile - 1),
                )
            marks = {"gate": 1, "clear_counts": tile == 1}
            yield Pass(
                shared | width | marks | {"first": not base, "chunks": gate},
                chunks(gate, mode),
                thresholds=None if base and early else limits,
                limits=limits,
                drains=2 * tile,
            )
            drained = {"slots": slots, "positions": positions}
            yield Drain(drained | {"bank": 1 - tile % 2, "source": 1})
            if conditional:
                width = widths(rng, config)
                marks = {"first": 0, "gate": 0, "conditional": 1, "chunks": conditional}
                yield Pass(
                    shared | width | marks,
                    chunks(conditional, width.get("mode", 0), len(model.task_positions)),
                )
            yield Drain(drained | {"bank": tile % 2, "source": 2})

    return build


def sizes(config, masks):
    """One tile a mask, of all the sizes that have something special."""
    most, slots = config.positions_per_cluster, config.array.slots
    shapes = [(min(most, 5), slots), (1, slots), (2, max(1, slots - 1)), (3, slots), (0, slots)]
    shapes += [(3, 1)]
    passes = [(1, 1, 2), (0, 1, 2), (2, 1, 3), (0, 1, 0), (0, 2, 1)]
    return [
        (*shapes[n % len(shapes)], mask, *passes[(n + n // 6) % len(passes)])
        for n, mask in enumerate(masks)
    ]


CASES = [(shape, stalls) for shape in SHAPES for stalls in ("none", "some")]
CASES += [("four-engines", stalls) for stalls in STALLS]
MASKS = ["none", "half", "all", "few", "lumpy"]


@pytest.mark.parametrize(("shape", "stalls"), dict.fromkeys(CASES))
def test_tiles(shape, stalls, mac="parallel", modes=()):
    """Every kind of mask in every kind of tile, in sequence, on alternating banks."""
    config = configuration(shape, True, mac, modes)
    masks = MASKS + random.Random(f"{shape} {stalls}").sample(MASKS, 3)
    bench = GroupBench(
        config,
        gated_tiles(config, sizes(config, masks), seed=shape),
        seed=f"{shape} {stalls}",
        stalls=STALLS[stalls],
    )
    assert any(bench.model.decided) and not all(bench.model.decided)
    bench.run()


def test_serial_units():
    """The group does not know which unit is in."""
    test_tiles("tiny", "some", mac="serial")


@pytest.mark.parametrize("shape", ["one-slot", "deep"])
def test_modes(shape):
    """Base and conditional passes in modes of their own."""
    test_tiles(shape, "some", "bricks", ["8x8", "4x4", "2x2"])
    test_tiles(shape, "none", "serial", ["4x8", "1x8", "3x8"])


def test_reference_configuration():
    """A group of cgnet8 with all of its slots."""
    config = load("cgnet8")
    slots = config.array.slots
    tiles = [(8, slots, "few", 1, 1, 2), (5, slots, "all", 0, 1, 1)]
    GroupBench(config, gated_tiles(config, tiles, seed=8), seed=8, stalls=STALLS["some"]).run()


@pytest.mark.parametrize("seed", range(6))
def test_random_configurations(seed):
    """Configurations that nobody has thought of."""
    rng = random.Random(seed)
    group = rng.choice([2, 4, 8])
    lanes = rng.choice([2, 4, 8])
    slots = rng.randrange(1, 7)
    word_slots = [n for n in (1, 2, 4, 8) if n <= group and n * lanes >= 4]
    config = load(
        "cgnet8",
        {
            "array.engines": group * rng.randrange(1, 4),
            "array.group": group,
            "array.lanes": lanes,
            "array.slots": slots,
            "array.queue": rng.randrange(2, 9),
            "array.rows": 32,
            "array.mac": rng.choice(["parallel", "serial"]),
            "memory.weight_slots": rng.choice(word_slots),
        },
    )
    masks = [rng.choice(MASKS) for _ in range(4)]
    tiles = [
        (
            rng.randrange(config.positions_per_cluster + 1),
            rng.randrange(1, slots + 1),
            mask,
            rng.randrange(2),
            rng.randrange(1, 3),
            rng.randrange(3),
        )
        for mask in masks
    ]
    stalls = rng.choice(list(STALLS.values()))
    GroupBench(config, gated_tiles(config, tiles, seed), seed=seed, stalls=stalls).run()


def test_release():
    """A chunk is given back when its thresholds have been read, and not before."""
    config = configuration("one-slot", True)
    bench = GroupBench(config, gated_tiles(config, [(5, 1, "half", 0, 1, 0)], 1), seed=1)
    outcome = bench.run()
    issued = outcome.busy[-1] - 1  # the status is that of the last cycle
    assert outcome.released_at == [issued + bench.dut.latency - 2]


def test_no_bubbles():
    """A conditional pass issues a task row in each cycle, over its chunks."""
    config = configuration("tiny", True).override({"array.clusters": 1})
    slots = config.array.slots
    bench = GroupBench(config, gated_tiles(config, [(6, slots, "all", 0, 1, 4)], 1), seed=1)
    outcome = bench.run()
    conditional = outcome.busy[6 * slots :]
    assert len(conditional) == conditional[-1] - conditional[0] + 1 == 4 * 6 * slots
