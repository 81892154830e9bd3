"""Records come path by path, and lie in alternate rows."""

import random

import pytest
from amaranth import Module
from amaranth.sim import Simulator

from hwgen.rtl.drain.records import RecordMemory, RecordSplitter

from .benches import config, random_record, record_bytes

FIELDS = ["multiplier", "shift", "residual_multiplier", "bias"]


@pytest.mark.parametrize("gated", [True, False])
def test_both_paths(gated):
    """Records through the splitter, with pauses; both paths of each are found."""
    cfg = config(array={"gated": gated})
    rng = random.Random(gated)
    paths = 1 + gated
    m = Module()
    m.submodules.splitter = splitter = RecordSplitter(cfg)
    m.submodules.memory = memory = RecordMemory(cfg, fields=FIELDS, paths=paths, name="records")
    m.d.comb += [memory.write_valid.eq(splitter.o_valid), memory.write.eq(splitter.o)]
    records = {n: random_record(rng, cfg) for n in rng.sample(range(64), 40)}

    async def check(ctx):
        for index, record in records.items():
            while rng.random() < 0.3:
                await ctx.tick()
            ctx.set(splitter.i.payload, {"index": index, "record": record_bytes(record)})
            ctx.set(splitter.i.valid, 1)
            cycles, ready = 0, 0
            while not ready:
                _, _, ready = await ctx.tick().sample(splitter.i.ready)
                cycles += 1
            ctx.set(splitter.i.valid, 0)
            assert cycles == paths
        for index, record in records.items():
            for base in range(paths):
                ctx.set(memory.read_en, 1)
                ctx.set(memory.read_index, index)
                if gated:
                    ctx.set(memory.read_base, base)
                await ctx.tick().repeat(memory.latency)
                for name in FIELDS:
                    got = ctx.get(memory.record[name])
                    assert got == record[("base_" if base else "") + name]

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(check)
    simulator.run()
