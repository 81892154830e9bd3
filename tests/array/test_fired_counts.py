"""Counts of fired outputs: clearing, reading beside the gate, and the largest value."""

import random

from amaranth.sim import Simulator

from hwgen.config import load
from hwgen.rtl.group import fired_counts


def test_equals_model(monkeypatch):
    """Short counters, so that they reach their end."""
    monkeypatch.setattr(fired_counts, "COUNT_BITS", 4)
    config = load("tiny", {"array.slots": 3})
    group, columns = config.array.group, config.array.slots
    dut = fired_counts.FiredCounts(config)
    rng = random.Random(3)
    counts = [[0] * group for _ in range(columns)]
    seen = set()

    async def bench(ctx):
        before = False
        for cycle in range(3000):
            some = rng.random() < 0.5
            clear = cycle % 500 == 499
            column, fired = rng.randrange(columns), rng.getrandbits(group)
            address = rng.randrange(columns)
            ctx.set(dut.gate, {"some": some, "clear": clear, "column": column, "fired": fired})
            ctx.set(dut.address, address)
            if clear:
                counts[:] = [[0] * group for _ in range(columns)]
            read = list(counts[address])
            if some:
                for e in range(group):
                    counts[column][e] = min(15, counts[column][e] + (fired >> e & 1))
            await ctx.tick()
            assert ctx.get(dut.data_valid) == (not some and not before)
            if not some and not before:
                assert [int(n) for n in ctx.get(dut.data)] == read
                seen.update(read)
            before = some

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    assert seen == set(range(16))
