"""The addresser alone: latency, order of the groups, items that vanish, and when it says so."""

import random

import pytest
from amaranth.sim import Simulator

from hwgen.memory import collision_checks
from hwgen.rtl.drain.addresser import Addresser

from .benches import Source, config, random_record, record_bytes, stored

CONFIG = config(array={"clusters": 2, "engines": 6, "lanes": 4, "group": 2})


def item(sum_, slot, position, *, full=1, some=1, last=0):
    return {
        "sum": sum_,
        "slot": slot,
        "position": position,
        "full": full,
        "some": some,
        "last": last,
    }


@pytest.mark.parametrize("first_group", [0, 1])
@pytest.mark.parametrize("stalls", [0.0, 0.5])
def test_places(first_group, stalls):
    """Place and sum of each item, exactly ``latency`` and one cycle after it was taken."""
    cfg, rng = CONFIG, random.Random(f"{first_group} {stalls}")
    slots, cluster, groups = 3, 1, 3 - first_group
    per_group = cfg.array.group * slots
    words = cfg.array.clusters * cfg.memory.activation_words
    command = {
        "slots": slots,
        "channels": 16,
        "output": words - 7,
        "output_plane_stride": 37,
        "parameters": 20,
        "diagonal": 2,
        "residual_input": 300,
    }
    channels = rng.sample(range(40), 3 * per_group)
    records = {20 + n: random_record(rng, cfg, channel=c) for n, c in enumerate(channels)}
    sent = [
        [item(rng.getrandbits(20), rng.randrange(per_group), rng.randrange(15)) for _ in range(30)]
        for _ in range(groups)
    ]
    for n, group in enumerate(sent):
        group[-1]["last"] = 1
        group[n]["some"] = 0

    dut = Addresser(cfg, groups=groups)
    sums, places, ends, vanished = {}, {}, [], 0

    async def bench(ctx):
        nonlocal vanished
        ctx.set(dut.cluster, cluster)
        ctx.set(dut.group, first_group)
        ctx.set(dut.command, command)
        await stored(ctx, dut, {n: record_bytes(r) for n, r in records.items()})
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        sources = [
            Source(port, items, rng=rng, pause=stalls)
            for port, items in zip(dut.items, sent, strict=True)
        ]
        serving = 0
        for cycle in range(600):
            ctx.set(dut.open, rng.random() >= stalls)
            for source in sources:
                source.drive(ctx)
            if cycle in sums:
                assert ctx.get(dut.sum_valid)
                assert ctx.get(dut.sum) == sums.pop(cycle)
            else:
                assert not ctx.get(dut.sum_valid)
            if cycle in places:
                assert ctx.get(dut.place_valid)
                assert ctx.get(dut.place) == places.pop(cycle)
            else:
                assert not ctx.get(dut.place_valid)
            vanished += ctx.get(dut.vanished)
            got = [source.see(ctx) for source in sources]
            assert all(it is None for n, it in enumerate(got) if n != serving)
            it = got[serving] if serving < groups else None
            assert ctx.get(dut.taken) == bool(it and it["some"])
            if it:
                number = (first_group + serving) * per_group + it["slot"]
                if it["some"] and number < command["channels"]:
                    plane, byte = divmod(channels[number], cfg.array.lanes)
                    offset = plane * 37 + it["position"] * cfg.array.clusters
                    offset += (cluster - (it["position"] >> 1)) % cfg.array.clusters
                    sums[cycle + 1] = {"sum": it["sum"], "record": 20 + number, "full": it["full"]}
                    places[cycle + dut.latency] = {
                        "word": (words - 7 + offset) % words,
                        "byte": byte,
                        "residual_word": (300 + offset) % words,
                    }
                elif it["some"]:
                    vanished -= 1
                serving += it["last"]
            assert ctx.get(dut.ended) == bool(it and it["last"] and serving == groups)
            if ctx.get(dut.ended):
                ends.append(cycle)
            await ctx.tick()

    with collision_checks():
        sim = Simulator(dut)
        sim.add_clock(1e-6)
        sim.add_testbench(bench)
        sim.run()
    assert len(ends) == 1
    assert vanished == 0
    assert not sums and not places
