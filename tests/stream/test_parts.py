"""The small parts of the stream blocks: arbiter, queue, task index."""

import random

import pytest
from amaranth.sim import Simulator

from hwgen.config import load
from hwgen.memory import collision_checks
from hwgen.rtl.arbiter import Arbiter
from hwgen.rtl.fifo import RamFifo
from hwgen.rtl.task_index import TaskIndex

from ..refusal import assert_refused
from .benches import Sink, Source, run


def simulate(dut, bench):
    with collision_checks():
        sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.parametrize("ways", [2, 3, 6, 10])
def test_arbiter_equals_model(ways):
    dut = Arbiter(ways=ways)
    rng = random.Random(ways)
    everyone = (1 << ways) - 1
    cycles = [
        (rng.getrandbits(ways) & rng.getrandbits(ways), rng.random() < 0.7) for _ in range(200)
    ] + [(everyone, True)] * (2 * ways)
    winners = []

    async def bench(ctx):
        for requests, advance in cycles:
            ctx.set(dut.requests, requests)
            ctx.set(dut.advance, advance)
            grant = ctx.get(dut.grant)
            assert grant & (grant - 1) == 0
            winners.append(grant.bit_length() - 1)
            await ctx.tick()

    simulate(dut, bench)
    assert winners == dut.model(cycles)
    assert sorted(winners[-ways:]) == list(range(ways))


@pytest.mark.parametrize("rates", [(1, 1), (1, 0.4), (0.4, 1), (0.5, 0.5)], ids=str)
@pytest.mark.parametrize("depth", [2, 8, 128])
def test_fifo(depth, rates):
    """In order and whole; at full speed a payload a cycle, ``latency`` cycles later; room for depth
    + 1.
    """
    rng = random.Random(depth)
    items = [rng.getrandbits(9) for _ in range(150)]
    dut = RamFifo(9, depth=depth, name="test")
    source = Source(dut.i, items, rate=rates[0], seed=1)
    sink = Sink(dut.o, rate=rates[1], seed=2)
    run(dut, [source, sink], until=lambda: len(sink.got) == len(items), limit=3000)
    assert sink.got == items
    assert all(b >= a + dut.latency for a, b in zip(source.sent, sink.cycles, strict=True))
    if rates == (1, 1):
        assert sink.cycles == [dut.latency + n for n in range(len(items))]


def test_fifo_fills():
    dut = RamFifo(4, depth=4, name="test")
    source = Source(dut.i, list(range(12)))
    run(dut, [source, Sink(dut.o, rate=0)], until=lambda: len(source.sent) == 5, limit=50)
    assert len(source.sent) == 5


def test_bad_parts():
    assert_refused("Arbiter ways must be a positive integer, not 0", Arbiter, ways=0)
    assert_refused("depth must be a power of two", RamFifo, 4, depth=3, name="test")


def index_configuration(rows, slots):
    return load("tiny", {"array.engines": 6, "array.rows": rows, "array.slots": slots})


def walk_of(width, clusters, cluster, stride, in_columns, image):
    """The constants by their definition, not as the streamer finds them; an image has so many rows
    of the input, or any number if that is 0.
    """
    row, column = divmod(cluster, width)
    step_row, step_column = divmod(clusters, width)
    step = (step_row * in_columns + step_column) * stride
    return {
        "first": {
            "x": column * stride,
            "y": row * stride,
            "offset": (row * in_columns + column) * stride,
        },
        "limit": (width - step_column) * stride,
        "step_x": step_column * stride,
        "step_y": step_row * stride,
        "carry_y": (step_row + 1) * stride,
        "last_y": (image - step_row * stride) % 2048,
        "carry_last_y": (image - (step_row + 1) * stride) % 2048,
        "step_offset": step,
        "carry_offset": step + (in_columns - width) * stride,
    }


@pytest.mark.parametrize("rate", [1.0, 0.2])
@pytest.mark.parametrize(("rows", "slots"), [(64, 4), (64, 5), (128, 1)])
def test_task_index(rows, slots, rate):
    """Groups far apart and in step; lists from empty to full; entries read while others are
    appended.
    """
    config = index_configuration(rows, slots)
    dut = TaskIndex(config)
    rng = random.Random(f"{rows} {slots} {rate}")
    most = config.positions_per_cluster
    groups = config.groups
    tasks = dut.list

    async def tile(ctx, positions, density):
        width, stride, in_columns = rng.randint(1, 9), rng.randint(1, 3), rng.randint(1, 20)
        clusters = rng.choice([1, 2, 4])
        cluster = rng.randrange(clusters)
        image = rng.choice([0, clusters // width + rng.randint(1, 4)]) * stride
        ctx.set(tasks.walk, walk_of(width, clusters, cluster, stride, in_columns, image))
        ctx.set(tasks.positions, positions)
        ctx.set(tasks.restart, 1)
        await ctx.tick()
        ctx.set(tasks.restart, 0)

        fired = [[int(rng.random() < density) for _ in range(groups)] for _ in range(positions)]
        expected = []
        for p, bits in enumerate(fired):
            row, column = divmod(p * clusters + cluster, width)
            if any(bits):
                want = sum(bit << j for j, bit in enumerate(bits))
                offset = (row * in_columns + column) * stride % 1024
                y = row * stride % (image or 2048)
                expected.append((column * stride, y, offset, want))

        decided = [0] * groups
        last_strobe = {}
        got, asked = [], False
        favourite = rng.randrange(groups)  # runs ahead of the others
        for cycle in range(60 * positions + 40):
            strobes = any_bits = 0
            for j in range(groups):
                slow = j != favourite and rng.random() > 0.5
                if decided[j] < positions and rng.random() < rate and not slow:
                    strobes |= 1 << j
                    any_bits |= fired[decided[j]][j] << j
                    decided[j] += 1
                    if min(decided) == decided[j]:
                        last_strobe[decided[j] - 1] = cycle
            ctx.set(dut.decided, strobes)
            ctx.set(dut.any, any_bits | rng.getrandbits(groups) & ~strobes)
            if asked:
                entry = ctx.get(tasks.entry)
                place = entry.place
                got.append((place.x, place.y, place.offset, entry.want))
            count, complete = ctx.get(tasks.count), ctx.get(tasks.complete)
            if complete:
                assert min(decided) == positions and count == len(expected)
            # Positions whose last strobe is ``latency`` cycles old are in the list.
            old = sum(1 for when in last_strobe.values() if when + dut.latency <= cycle)
            assert count >= sum(1 for bits in fired[:old] if any(bits))
            asked = len(got) < count
            ctx.set(tasks.read_en, asked)
            ctx.set(tasks.read_index, len(got))
            await ctx.tick()
            ctx.set(tasks.read_en, 0)
            if complete and len(got) == len(expected) and not asked:
                break
        assert got == expected
        assert ctx.get(tasks.complete)

    async def bench(ctx):
        assert ctx.get(tasks.complete)
        for positions, density in ((most, 0.3), (1, 1), (most, 0), (most, 1), (most // 2, 0.1)):
            await tile(ctx, positions, density)

    simulate(dut, bench)
