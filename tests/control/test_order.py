"""Tokens order the units, and nothing else does."""

import random
from itertools import permutations

import pytest

from hwgen.config import load as load_config
from hwgen.isa.packing import pack, unpack
from hwgen.isa.registers import ErrorCode

from .bench import Bench
from .programs import end, order

CONFIG = load_config("tiny")
IN_ORDER = CONFIG.override({"control.queue_depth": 0, "control.prefetch": 1})
UNITS = ("array", "drain", "vector")


def program(seed: int, count: int):
    """Random instructions of three units; which must have ended before which may start."""
    draw = random.Random(seed)
    counters = {pair: n for n, pair in enumerate(permutations(UNITS, 2))}
    steps, before = [], []
    numbers = dict.fromkeys(UNITS, 0)
    last = dict.fromkeys(UNITS)  # newest step of each unit
    waited = {}
    for _ in range(count):
        unit = draw.choice(UNITS)
        step = {"unit": unit, "number": numbers[unit], "wait": set(), "post": set()}
        for other in UNITS:
            source = last[other]
            if other == unit or source is None or draw.random() < 0.5:
                continue
            if waited.get((other, unit), -1) < source["number"]:
                waited[other, unit] = source["number"]
                source["post"].add(counters[other, unit])
                step["wait"].add(counters[other, unit])
            before.append(((other, source["number"]), (unit, step["number"])))
        numbers[unit] += 1
        last[unit] = step
        steps.append(step)
    code = [order(step["unit"], step["wait"], step["post"]) for step in steps]
    return [*code, end()], before, numbers


@pytest.mark.parametrize(
    "config, seed, stall",
    [(CONFIG, 1, 0.0), (CONFIG, 2, 0.3), (CONFIG, 3, 0.6), (IN_ORDER, 4, 0.0), (IN_ORDER, 5, 0.5)],
)
def test_units_wait_for_each_other(config, seed, stall):
    code, before, numbers = program(seed, 40)
    bench = Bench(config, seed=seed, stall=stall)

    async def scenario(bench, ctx):
        await bench.prepare(ctx, code)
        status = await bench.start(ctx)
        assert status["error"] == ErrorCode.NONE
        assert await bench.read(ctx, "INSTRUCTIONS") == len(code)

    bench.run(scenario)
    times = {entry: time for time, entry in enumerate(bench.log)}
    assert len(times) == 2 * sum(numbers.values())
    for (first, number), (second, following) in before:
        assert times["done", first, number] < times["start", second, following]
    assert before
    # One drain at a time; passes may overlap, and do where other instructions do not come between.
    for unit in ("drain", "vector"):
        events = [kind for kind, who, _number in bench.log if who == unit]
        assert events == ["start", "done"] * numbers[unit]
    events = [kind for kind, who, _number in bench.log if who == "array"]
    overlap = any(pair == ("start", "start") for pair in zip(events, events[1:], strict=False))
    assert overlap or config is IN_ORDER


def test_commands_arrive_as_they_were_packed():
    modes = {"array.mac": "bricks", "array.modes": ["8x8", "4x4", "2x2"]}
    bench = Bench(CONFIG.override(modes), seed=9, stall=0.2)
    draw = random.Random(9)
    fields = unpack(order("array")).fields | {"pad_left": -7, "input": 0x2F3, "stride": 5}
    fields |= {"mode": 2, "sum_shift": 5}
    drain = unpack(order("drain")).fields | {"low": -200, "high": 199, "output": 0x111}
    vector = unpack(order("vector")).fields | {"second": draw.randrange(1024), "pad_top": 6}
    vector |= {"room": 2, "bits": 3, "copies": 1}

    async def scenario(bench, ctx):
        code = [pack("PASS", **fields), pack("DRAIN", **drain), pack("VECTOR", **vector), end()]
        await bench.prepare(ctx, code)
        assert (await bench.start(ctx))["error"] == ErrorCode.NONE

    bench.run(scenario)
    for unit, sent in (("array", fields), ("drain", drain), ("vector", vector)):
        (command,) = bench.units[unit].commands
        left_out = {"align"} if unit == "array" else set()
        assert command == {name: sent[name] for name in sent if name not in left_out}


def test_counters_count_while_a_program_runs():
    bench = Bench(CONFIG, seed=4)
    bench.inputs = {"busy": 1, "starved": 1, "unloaded": 0, "interlocked": 1, "fired": 2}

    async def scenario(bench, ctx):
        await ctx.tick().repeat(20)
        assert await bench.read(ctx, "CYCLES") == 0
        await bench.prepare(ctx, [order("drain", post=[0]), order("vector", [0]), end()])
        await bench.start(ctx)
        counts = {n: await bench.read(ctx, n) for n in ("CYCLES", "ARRAY_BUSY", "ARRAY_UNLOADED")}
        cycles = counts["CYCLES"]
        assert counts == {"CYCLES": cycles, "ARRAY_BUSY": cycles, "ARRAY_UNLOADED": 0}
        assert await bench.read(ctx, "ARRAY_STARVED") == cycles
        assert await bench.read(ctx, "FIRED") == 2 * cycles
        assert await bench.read(ctx, "BYTES_READ") == 3 * 32
        busy = await bench.read(ctx, "BUSY_DRAIN")
        assert 0 < busy < cycles
        assert await bench.read(ctx, "WAITING_VECTOR") > 0
        assert await bench.read(ctx, "WAITING_DRAIN") == 1  # tokens are looked at for a cycle
        # A second program starts from zero.
        await bench.write(ctx, "INTERRUPT_STATUS", 3)
        await bench.prepare(ctx, [end()])
        await bench.start(ctx)
        assert await bench.read(ctx, "CYCLES") < cycles
        assert await bench.read(ctx, "INSTRUCTIONS") == 1

    bench.run(scenario)
