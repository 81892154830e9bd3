"""Fork and StrobeJoin under every pattern of stalls."""

import itertools
import random

import pytest
from amaranth.sim import Simulator

from hwgen.rtl.fork import Fork, StrobeJoin

from ..refusal import assert_refused

CYCLES = 5


def simulate(dut, bench):
    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()


async def fork_run(ctx, dut, cycles):
    """Drive (valid, readies) in each cycle; check every rule of the streams; then let it run empty.

    ``valid`` only says whether a new payload is offered when none is pending.
    """
    ways = len(dut.o)
    received = [[] for _ in range(ways)]
    sent, offered = [], None
    pending = [None] * ways
    number = 0
    for valid, ready in cycles:
        if offered is None and valid:
            number += 1
            offered = number
        ctx.set(dut.i.valid, offered is not None)
        ctx.set(dut.i.payload, offered or 0)
        for n in range(ways):
            ctx.set(dut.o[n].ready, (ready >> n) & 1)
        for n, o in enumerate(dut.o):
            if not ctx.get(o.valid):
                assert pending[n] is None
                continue
            payload = ctx.get(o.payload)
            assert pending[n] in (None, payload)
            pending[n] = None if ctx.get(o.ready) else payload
            if pending[n] is None:
                received[n].append(payload)
        if offered is not None and ctx.get(dut.i.ready):
            sent.append(offered)
            offered = None
            assert all(got == sent for got in received)  # all have it when it is gone
        await ctx.tick()
    assert all(got[: len(sent)] == sent for got in received)
    return sent, offered


@pytest.mark.parametrize("ways", [1, 2])
def test_fork_every_stall(ways):
    """All sequences of offers and readies of some cycles, each followed by two without stalls."""
    dut = Fork(8, ways=ways)
    every = list(itertools.product(range(2), range(1 << ways)))
    all_ready = (1 << ways) - 1
    length = CYCLES if ways == 1 else 4

    async def bench(ctx):
        for cycles in itertools.product(every, repeat=length):
            sent, offered = await fork_run(ctx, dut, [*cycles, *[(0, all_ready)] * 2])
            assert offered is None
            assert len(sent) >= any(valid for valid, _ in cycles)

    simulate(dut, bench)


@pytest.mark.parametrize("ways", [3, 5])
def test_fork_random_stalls(ways):
    dut = Fork(16, ways=ways)
    rng = random.Random(ways)

    async def bench(ctx):
        cycles = [(rng.random() < 0.7, rng.getrandbits(ways)) for _ in range(1500)]
        sent, _ = await fork_run(ctx, dut, cycles)
        assert len(sent) > 200

    simulate(dut, bench)


def test_fork_throughput():
    """A payload every other cycle when nobody stalls."""
    dut = Fork(8, ways=3)

    async def bench(ctx):
        sent, _ = await fork_run(ctx, dut, [(1, 0b111)] * 50)
        assert len(sent) == 25

    simulate(dut, bench)


async def join_run(ctx, dut, strobes):
    """Drive strobes; the n-th output comes in the cycle after everyone's n-th input."""
    counts = [0] * len(dut.i)
    given = 0
    for strobe in strobes:
        ctx.set(dut.i, strobe)
        expected = min(counts) > given
        assert ctx.get(dut.o) == expected
        given += expected
        counts = [count + (strobe >> n & 1) for n, count in enumerate(counts)]
        await ctx.tick()
    return [count - given for count in counts]


def allowed(strobes, ways, depth):
    """Whether nobody is more than ``depth`` strobes ahead."""
    counts = [0] * ways
    for strobe in strobes:
        common = min(counts)
        counts = [count - (common > 0) + (strobe >> n & 1) for n, count in enumerate(counts)]
        if max(counts) > depth:
            return False
    return True


@pytest.mark.parametrize(("ways", "depth", "length"), [(1, 1, 8), (2, 1, 5), (2, 3, 5), (3, 2, 4)])
def test_join_every_sequence(ways, depth, length):
    """All sequences of strobes that keep within the depth."""
    dut = StrobeJoin(ways=ways, depth=depth)
    checked = 0

    async def bench(ctx):
        nonlocal checked
        for strobes in itertools.product(range(1 << ways), repeat=length):
            if not allowed(strobes, ways, depth):
                continue
            # Whoever is behind catches up, so that the next sequence begins with empty counters.
            behind = [sum(s >> n & 1 for s in strobes) for n in range(ways)]
            rest = []
            while len(set(behind)) > 1:
                low = [n for n in range(ways) if behind[n] < max(behind)]
                rest.append(sum(1 << n for n in low))
                behind = [count + (n in low) for n, count in enumerate(behind)]
            left = await join_run(ctx, dut, [*strobes, *rest, 0, 0])
            assert not any(left)
            checked += 1

    simulate(dut, bench)
    assert checked > 20


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: Fork(8, ways=0), "ways must be at least 1"),
        (lambda: StrobeJoin(ways=0, depth=1), "ways must be at least 1"),
        (lambda: StrobeJoin(ways=1, depth=0), "depth must be at least 1"),
    ],
)
def test_bad_parameters(build, match):
    assert_refused(match, build)
