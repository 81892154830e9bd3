"""The queue behind a pipeline that cannot stall."""

import random
from collections import deque

import pytest
from amaranth.sim import Simulator

from hwgen.memory import collision_checks
from hwgen.rtl.credit_queue import CreditQueue

from ..refusal import assert_refused
from .benches import Sink


@pytest.mark.parametrize("depth", [2, 4, 16])
@pytest.mark.parametrize(("fill", "pause"), [(1.0, 0.0), (1.0, 0.6), (0.4, 0.0), (0.5, 0.5)])
def test_order(depth, fill, pause):
    """What goes in comes out in order, however full the queue is."""
    rng = random.Random(f"{depth} {fill} {pause}")
    dut = CreditQueue(8, depth=depth, name="under test")
    inside, fullest, passed = deque(), 0, 0

    async def bench(ctx):
        nonlocal fullest, passed
        sink = Sink(dut.o, rng=rng, pause=pause)
        for _ in range(1500):
            push = len(inside) < depth and rng.random() < fill
            value = rng.randrange(256)
            ctx.set(dut.push, push)
            ctx.set(dut.i, value)
            sink.drive(ctx)
            got = sink.see(ctx)
            if got is not None:
                assert got == inside.popleft()
                passed += 1
            if push:
                inside.append(value)
            fullest = max(fullest, len(inside))
            await ctx.tick()

    with collision_checks():
        sim = Simulator(dut)
        sim.add_clock(1e-6)
        sim.add_testbench(bench)
        sim.run()
    assert passed > 300
    if pause and fill == 1.0:
        assert fullest == depth


def test_latency_and_throughput():
    """Offered two cycles later; one a cycle with a room of four."""
    dut = CreditQueue(8, depth=4, name="under test")
    seen = []

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        for cycle in range(20):
            ctx.set(dut.push, 1)
            ctx.set(dut.i, cycle)
            if ctx.get(dut.o.valid):
                seen.append((cycle, ctx.get(dut.o.payload)))
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    assert seen == [(cycle, cycle - 2) for cycle in range(2, 20)]


@pytest.mark.parametrize("depth", [0, 1, 3, 12])
def test_bad_depth(depth):
    assert_refused("depth must be a power of two", lambda: CreditQueue(8, depth=depth, name="bad"))
