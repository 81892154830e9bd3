"""The queue of vectors against a list."""

import random
from collections import deque

import pytest
from amaranth.sim import Simulator

from hwgen.memory import collision_checks
from hwgen.rtl.group.queue import VectorQueue

from ..refusal import assert_refused


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("depth", [2, 3, 4, 5, 16])
@pytest.mark.parametrize("pressure", [0.2, 0.5, 0.9])
def test_equals_a_list(depth, heads, pressure):
    dut = VectorQueue(depth=depth, width=16, heads=heads)
    rng = random.Random(f"{depth} {heads} {pressure}")
    entries = deque()
    levels = set()

    async def bench(ctx):
        for _ in range(600):
            level = len(entries)
            levels.add(level)
            assert ctx.get(dut.level) == level
            assert ctx.get(dut.ready) == (level < depth)
            shown = [ctx.get(getattr(dut, f"head{n}")) for n in range(min(heads, level))]
            assert shown == list(entries)[:heads]
            push, data = rng.random() < pressure, rng.getrandbits(16)
            pops = rng.randrange(min(heads, level) + 1) if rng.random() > pressure / 2 else 0
            ctx.set(dut.push, push)
            ctx.set(dut.data, data)
            ctx.set(dut.pops, pops)
            for _ in range(pops):
                entries.popleft()
            if push and level < depth:
                entries.append(data)
            await ctx.tick()

    with collision_checks():
        sim = Simulator(dut)
        sim.add_clock(1e-6)
        sim.add_testbench(bench)
        sim.run()
    assert 0 in levels
    assert pressure < 0.9 or depth in levels


@pytest.mark.parametrize("depth", [1, 0, -2, "4"])
def test_bad_depth(depth):
    assert_refused("depth must be an integer of at least 2", VectorQueue, depth=depth, width=8)


@pytest.mark.parametrize("heads", [0, 3])
def test_bad_heads(heads):
    assert_refused("heads must be 1 or 2", VectorQueue, depth=4, width=8, heads=heads)
