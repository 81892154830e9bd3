"""The sequential control: copies and orders against the model, errors, registers."""

import random
from functools import partial

import pytest

from hwgen.config import load as load_config
from hwgen.isa.checks import Reason, field_ranges
from hwgen.isa.instructions import by_name
from hwgen.isa.packing import pack, unpack
from hwgen.isa.registers import ErrorCode, State, registers

from .failing import fails_and_recovers
from .programs import copies, end, load, order, store
from .sequential_bench import SequentialBench

CONFIG = load_config("micro", {"bus.burst": 16, "memory.activation_words": 128})
SHORT = CONFIG.override({"bus.burst": 8, "control.bases": 8, "bus.address_width": 31})
SIZE = 0x8000


class few_copies(copies):
    """Of the base registers that there are."""

    def fields(self, word: int, buffer: int) -> dict:
        while True:
            fields = super().fields(word, buffer)
            if fields["base"] < self.config.control.bases:
                return fields


@pytest.mark.parametrize("config", [CONFIG, SHORT], ids=["micro", "short"])
@pytest.mark.parametrize("seed, stall, latency", [(1, 0.0, 1), (2, 0.0, 9), (3, 0.4, 7)])
def test_random_copies(config, seed, stall, latency):
    bench = SequentialBench(config, seed=seed, stall=stall, latency=latency)
    bases = [bench.random.randrange(0, 0x4000, 32) for _ in range(8)]
    expected = bytearray(bench.memory.data)
    buffers = [[0] * len(b) for b in (bench.activations, bench.weights, bench.records)]
    program = few_copies(config, seed, bases, SIZE).program(12, expected, buffers)

    async def scenario(bench, ctx):
        for n, base in enumerate(bases[: config.control.bases]):
            await bench.wide(ctx, f"BASE{n}", base)
        for _ in range(2):  # the second run does the same again
            await bench.prepare(ctx, program, write=range(SIZE))
            status = await bench.start(ctx)
            assert (status["state"], status["error"]) == (State.IDLE, ErrorCode.NONE)
            assert status["bus_idle"] and bench.memory.quiet
            assert await bench.read(ctx, "INTERRUPT_STATUS") == 1
            await bench.write(ctx, "INTERRUPT_STATUS", 3)
            bursts.append(len(bench.memory.reads))
            if len(bursts) == 1:
                assert [bench.activations, bench.weights, bench.records] == buffers
                assert bench.memory.data[:SIZE] == expected[:SIZE]

    bursts = []

    bench.limit = 40_000
    bench.run(scenario)
    assert bursts[1] == 2 * bursts[0]
    assert max(bench.memory.written, default=0) < SIZE


@pytest.mark.parametrize("seed, stall", [(4, 0.0), (5, 0.4)])
def test_one_instruction_after_the_other(seed, stall):
    """All fields arrive, in program order, and nothing else goes on meanwhile."""
    draw = random.Random(seed)
    bench = SequentialBench(CONFIG, seed=seed, stall=stall)
    sent = {"array": [], "drain": []}
    code = []
    for n in range(24):
        unit = draw.choice(("array", "drain", "load", "store"))
        if unit == "load":
            code.append(load(wait=[n % 16], address=0x100, words=3))
        elif unit == "store":
            code.append(store(post=[n % 16], address=0x2000, words=3))
        else:
            instruction = unpack(order(unit))
            fields = dict(instruction.fields)
            ranges = field_ranges(CONFIG, by_name(instruction.name))
            layout = bench.units[unit].layout
            for name, field in layout:
                fields[name] = draw.randint(*ranges[name])
                if field.width < (ranges[name][1]).bit_length():  # what is added to an address
                    fields[name] &= (1 << field.width) - 1
            sent[unit].append({name: fields[name] for name, _ in layout})
            code.append(pack(instruction.name, wait=[3], post=[5], **fields))

    async def scenario(bench, ctx):
        await bench.prepare(ctx, [*code, end([19])])
        status = await bench.start(ctx)
        assert (status["state"], status["error"]) == (State.IDLE, ErrorCode.NONE)

    bench.run(scenario)
    for unit, expected in sent.items():
        assert bench.units[unit].commands == expected
    kinds = [kind for kind, _unit, _number in bench.log]
    assert kinds == ["start", "done"] * (len(kinds) // 2)


GOOD = [
    load(address=0x100, words=40),
    store(address=0x2000, words=40),
    order("array"),
    end(),
]
LONG = [
    load(address=0x108, words=100),
    store(address=0x2008, words=100),
    order("drain"),
    end(),
]
WINDOW = range(0x2000, 0x3000)


# A burst that has begun is ended.
failing = partial(fails_and_recovers, GOOD, WINDOW, CONFIG.bus.burst)


@pytest.mark.parametrize("channel", ["ar", "r", "aw", "w", "b"])
def test_a_channel_that_stands_still(channel):
    bench = SequentialBench(CONFIG, seed=5, stall=0.3, latency=3)
    bench.memory.frozen.add(channel)
    failing(bench, LONG, ErrorCode.WATCHDOG, "fetch", 0 if channel in ("ar", "r") else 1)


def test_a_read_channel_that_stops_within_a_burst():
    bench = SequentialBench(CONFIG, seed=6)
    step = bench.memory.step

    def stopping(now, size):
        if bench.time == 120:
            bench.memory.frozen.add("r")
        return step(now, size)

    bench.memory.step = stopping
    failing(bench, LONG, ErrorCode.WATCHDOG, "fetch", 0)


def test_errors_of_memory():
    stall = 0.2
    bench = SequentialBench(CONFIG, latency=2, stall=stall)
    bench.memory.bad_reads = range(bench.program + 32, bench.program + 64)
    failing(bench, GOOD, ErrorCode.READ_RESPONSE, "fetch", 1)
    bench = SequentialBench(CONFIG, latency=2, stall=stall)
    bench.memory.bad_reads = range(0x200, 0x204)
    failing(bench, LONG, ErrorCode.READ_RESPONSE, "load", 0)
    bench = SequentialBench(CONFIG, stall=stall)
    bench.memory.bad_writes = range(0x2100, 0x2110)
    failing(bench, LONG, ErrorCode.WRITE_RESPONSE, "store", 1)


@pytest.mark.parametrize("window", [range(0x140, 0x10000), range(0x100), range(0x8000, 0x10000)])
def test_loads_outside_of_the_window(window):
    at = 0xE000 if 0xE000 in window else 0x20
    bench = SequentialBench(CONFIG, program=at)
    failing(bench, LONG, ErrorCode.READ_BOUNDS, "load", 0, read=window)


def test_a_load_that_leaves_the_window():
    """Burst by burst: what comes before is read, what lies outside is not."""
    bench = SequentialBench(CONFIG, program=0x20)
    failing(bench, LONG, ErrorCode.READ_BOUNDS, "load", 0, read=range(0x240))
    read = [address for address, _ in bench.memory.reads]
    first = read[: read.index(0xD000)]
    assert max(first) == 0x200


@pytest.mark.parametrize("window", [range(0x2040, 0x3000), range(0x2000, 0x2100), range(0)])
def test_stores_outside_of_the_window(window):
    bench = SequentialBench(CONFIG)
    failing(bench, LONG, ErrorCode.WRITE_BOUNDS, "store", 1, write=window)


def test_programs_that_are_wrong():
    unknown = bytes([7]) + bytes(31)
    vector = order("vector")
    zero, high = bytes(32), bytes([0x12]) + end()[1:]
    for wrong in (unknown, vector, zero, high):
        failing(
            SequentialBench(CONFIG),
            [GOOD[0], wrong],
            ErrorCode.MALFORMED,
            "fetch",
            1,
            Reason.OPCODE,
        )
    failing(SequentialBench(CONFIG), GOOD[:-1], ErrorCode.NO_END, "fetch", 3)
    failing(SequentialBench(CONFIG), GOOD, ErrorCode.READ_BOUNDS, "fetch", 0, read=range(0xE000))
    odd = [load(address=0x102)]
    failing(SequentialBench(CONFIG), odd, ErrorCode.ALIGNMENT, "load", 0)
    odd = [store(address=0x2001)]
    failing(SequentialBench(CONFIG), odd, ErrorCode.ALIGNMENT, "store", 0)
    for address in (0x104, 0x108, 0x110):
        odd = [load(address=address, target=2)]
        failing(SequentialBench(CONFIG), odd, ErrorCode.ALIGNMENT, "load", 0)
    failing(SequentialBench(CONFIG, program=0xE010), GOOD, ErrorCode.ALIGNMENT, "fetch", 0)


@pytest.mark.parametrize("after", [5, 40, 77, 150, 260, 1500])
def test_reset_while_a_program_runs(after):
    """In fetch, load and store; last while the drain runs."""
    bench = SequentialBench(CONFIG, seed=after, stall=0.2, latency=4)
    bench.stuck.add("drain")

    async def scenario(bench, ctx):
        await bench.prepare(ctx, LONG, write=WINDOW)
        await bench.write(ctx, "CONTROL", 1)
        await ctx.tick().repeat(after)
        assert (await bench.status(ctx))["state"] == State.RUNNING
        assert (bench.log == [("start", "drain", 0)]) == (after == 1500)
        await bench.reset(ctx)
        assert bench.memory.quiet
        bench.program = 0xD000
        await bench.prepare(ctx, GOOD, write=WINDOW)
        status = await bench.start(ctx)
        assert (status["state"], status["error"]) == (State.IDLE, ErrorCode.NONE)
        assert bench.memory.data[0x2000 : 0x2000 + 160] == bench.memory.data[0x100 : 0x100 + 160]

    bench.run(scenario)


def test_the_array_may_take_its_time():
    """The watchdog rests while a PASS or a DRAIN runs."""
    bench = SequentialBench(CONFIG)
    bench.stuck.add("array")

    async def scenario(bench, ctx):
        await bench.prepare(ctx, GOOD, write=WINDOW)
        await bench.write(ctx, "WATCHDOG", 50)
        await bench.write(ctx, "CONTROL", 1)
        await ctx.tick().repeat(1000)
        assert (await bench.status(ctx))["state"] == State.RUNNING
        bench.stuck.clear()
        await ctx.tick().until(bench.dut.irq)
        assert (await bench.status(ctx))["error"] == ErrorCode.NONE

    bench.run(scenario)


def test_registers():
    bench = SequentialBench(CONFIG)

    async def scenario(bench, ctx):
        known = {register.offset: register for register in registers(CONFIG)}
        for offset in range(0, 0x400, 4):
            register = known.get(offset)
            before, response = await bench.read_response(ctx, offset)
            assert response == (0 if register else 2), hex(offset)
            if register is None:
                assert await bench.write(ctx, offset, 3) == 2
                continue
            if register.access != "ro":
                assert before == register.reset, register.name
            if register.name in ("CONTROL", "INTERRUPT_STATUS"):
                continue
            writable = register.access in ("rw", "wo")
            ones = (1 << register.bits) - 1
            assert await bench.write(ctx, offset, 0xFFFFFFFF) == (0 if writable else 2)
            after, _ = await bench.read_response(ctx, offset)
            if register.access != "ro":
                assert after == (ones if register.access == "rw" else before), register.name

    bench.run(scenario)
