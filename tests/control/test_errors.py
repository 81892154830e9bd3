"""Whatever goes wrong: a readable error, an interrupt, no stray write; a soft reset recovers."""

from functools import partial

import pytest

from hwgen.config import load as load_config
from hwgen.isa.checks import Reason, header_bits
from hwgen.isa.registers import ErrorCode, State

from .bench import Bench
from .failing import fails_and_recovers
from .programs import end, load, order, store

CONFIG = load_config("tiny", {"bus.burst": 4})
GOOD = [
    load(post=[0], address=0x100, words=40),
    store([0], [1], address=0x2000, words=40),
    end([1]),
]
LONG = [
    load(post=[0], address=0x100, words=200),
    store([0], [1], address=0x2000, words=200),
    end([1]),
]
WINDOW = range(0x2000, 0x3000)


# A beat that has been offered is not taken back.
failing = partial(fails_and_recovers, GOOD, WINDOW, 1)


@pytest.mark.parametrize("stall", [0.0, 0.3])
@pytest.mark.parametrize("channel", ["ar", "r", "aw", "w", "b"])
def test_a_channel_that_stands_still(channel, stall):
    bench = Bench(CONFIG, seed=5, stall=stall, latency=3)
    bench.memory.frozen.add(channel)
    if channel in ("ar", "r"):
        failing(bench, LONG, ErrorCode.WATCHDOG, "fetch", 0)
    else:
        # END waits at the decoder for its token.
        failing(bench, LONG, ErrorCode.WATCHDOG, "fetch", 2)


def test_a_read_channel_that_stops_within_a_burst():
    bench = Bench(CONFIG, seed=6)
    step = bench.memory.step

    def stopping(now, size):
        if bench.time == 250:
            bench.memory.frozen.add("r")
        return step(now, size)

    bench.memory.step = stopping
    failing(bench, LONG, ErrorCode.WATCHDOG, "fetch", 2)


def test_read_errors():
    bench = Bench(CONFIG, latency=2)
    bench.memory.bad_reads = range(bench.program + 32, bench.program + 64)
    failing(bench, GOOD, ErrorCode.READ_RESPONSE, "fetch", 0)

    bench = Bench(CONFIG, latency=2, stall=0.2)
    bench.memory.bad_reads = range(0x300, 0x308)
    failing(bench, LONG, ErrorCode.READ_RESPONSE, "load", 0)


def test_write_error():
    bench = Bench(CONFIG, stall=0.2)
    bench.memory.bad_writes = range(0x2100, 0x2110)
    failing(bench, LONG, ErrorCode.WRITE_RESPONSE, "store", 1)


@pytest.mark.parametrize(
    "window", [range(0x101, 0x10000), range(0x100 + 799), range(0x8000, 0x10000)]
)
def test_read_outside_of_the_window(window):
    program_at = 0xE000 if 0xE000 in window else 0x20
    bench = Bench(CONFIG, program=program_at)
    failing(bench, LONG, ErrorCode.READ_BOUNDS, "load", 0, read=window)
    assert not any(0x100 <= address < 0x100 + 160 for address, _ in bench.memory.reads[:4])


def test_program_outside_of_the_window():
    failing(Bench(CONFIG), GOOD, ErrorCode.READ_BOUNDS, "fetch", 0, read=range(0xE000))


@pytest.mark.parametrize("window", [range(0x2001, 0x3000), range(0x2000, 0x2000 + 799), range(0)])
def test_write_outside_of_the_window(window):
    bench = Bench(CONFIG)
    failing(bench, LONG, ErrorCode.WRITE_BOUNDS, "store", 1, write=window)
    # Nothing but the good program has written.
    assert bench.memory.written == set(range(0x2000, 0x2000 + 160))


def test_address_beyond_the_last():
    """The address space does not wrap into the window."""
    program = [load(address=0xFFFFFFF8, words=4), end()]
    failing(Bench(CONFIG), program, ErrorCode.READ_BOUNDS, "load", 0)


def test_misaligned():
    program = [load(), load(address=2, words=4), end()]
    failing(Bench(CONFIG), program, ErrorCode.ALIGNMENT, "load", 1)
    program = [load(), store(address=0x2002, words=4), end()]
    failing(Bench(CONFIG), program, ErrorCode.ALIGNMENT, "store", 1)
    failing(Bench(CONFIG, program=0xE010), GOOD, ErrorCode.ALIGNMENT, "fetch", 0)


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda word: word & ~0xFF | 0x77, Reason.OPCODE),
        (lambda word: word | 1 << 255, Reason.PADDING),
        (lambda word: word | 3 << header_bits, Reason.FIELD),
    ],
)
def test_malformed(change, reason):
    word = change(int.from_bytes(load(), "little"))
    program = [load(), load(), word.to_bytes(32, "little"), end()]

    failing(Bench(CONFIG), program, ErrorCode.MALFORMED, "fetch", 2, reason)


def test_program_without_end():
    failing(Bench(CONFIG), [load(), load()], ErrorCode.NO_END, "fetch", 2)


def test_empty_program():
    failing(Bench(CONFIG), [], ErrorCode.NO_END, "fetch", 0)


def test_token_overflow():
    program = [load(post=[3])] * 256 + [end()]
    bench = Bench(CONFIG, program=0xA000)
    failing(bench, program, ErrorCode.TOKEN_OVERFLOW, "load", 255)


def test_error_amid_a_burst_of_writes():
    """The burst ends by the rules, without effect, and no other begins."""
    for words in range(60, 90, 7):
        bench = Bench(CONFIG)

        async def scenario(bench, ctx, words=words):
            program = [
                load(post=[0], address=0x100, words=40),
                store([0], address=0x2000, words=200),
                load([], address=0x100, words=words, buffer=300),
                load(address=2, words=4),
                end(),
            ]
            await bench.prepare(ctx, program, write=WINDOW)
            status = await bench.start(ctx)
            assert ErrorCode(status["error"]) == ErrorCode.ALIGNMENT
            await ctx.tick().repeat(30)
            # In the error state, not only after a reset, the bus comes to rest.
            assert bench.memory.quiet
            assert (await bench.status(ctx))["bus_idle"]

        stopped = []
        step = bench.step

        def watching(now, bench=bench, stopped=stopped, step=step):
            if now["irq"] and not stopped:
                stopped.append(len(bench.memory.written))
            return step(now)

        bench.step = watching
        bench.run(scenario)
        assert 0 < stopped[0] < 800
        # The beat that was on the bus when the error came, and the one that comes with it.
        assert len(bench.memory.written) - stopped[0] <= 2 * CONFIG.bus.data_width // 8


def test_token_that_never_comes():
    program = [load(), store([5], address=0x2000), end([6])]
    failing(Bench(CONFIG), program, ErrorCode.WATCHDOG, "fetch", 2)


@pytest.mark.parametrize("unit", ["array", "drain", "vector"])
def test_unit_that_never_ends(unit):
    bench = Bench(CONFIG)
    bench.stuck.add(unit)
    failing(bench, [order(unit, post=[0]), end([0])], ErrorCode.WATCHDOG, "fetch", 1)


def test_progress_quiets_the_watchdog():
    bench = Bench(CONFIG)
    bench.stuck.add("array")
    bench.inputs["progress"] = 1

    async def scenario(bench, ctx):
        await bench.prepare(ctx, [order("array"), end()])
        await bench.write(ctx, "WATCHDOG", 100)
        await bench.write(ctx, "CONTROL", 1)
        await ctx.tick().repeat(600)
        assert (await bench.status(ctx))["state"] == State.RUNNING
        bench.stuck.clear()
        await ctx.tick().until(bench.dut.irq)
        assert (await bench.status(ctx))["error"] == ErrorCode.NONE

    bench.run(scenario)


def test_soft_reset_of_a_running_program():
    """At any moment: no write outside, the bus comes to rest, and the next program runs."""
    for after in range(40, 400, 71):
        bench = Bench(CONFIG, seed=after, stall=0.3, latency=9)

        async def scenario(bench, ctx, after=after):
            await bench.prepare(ctx, LONG, write=WINDOW)
            await bench.write(ctx, "CONTROL", 1)
            await ctx.tick().repeat(after)
            await bench.reset(ctx)
            assert bench.memory.quiet
            await bench.prepare(ctx, GOOD, write=WINDOW)
            assert (await bench.start(ctx))["error"] == ErrorCode.NONE
            size = 40 * CONFIG.array.lanes
            stored = bench.memory.data[0x2000 : 0x2000 + size]
            assert stored == bench.memory.data[0x100 : 0x100 + size]

        bench.run(scenario)
        assert bench.memory.written <= set(WINDOW)


def test_a_row_longer_than_the_address_space():
    """128 KiB of records: twice around all addresses of 16 bits, and back into the window."""
    short = {"bus.address_width": 16, "memory.parameter_words": 4096}
    program = [load(target=2, address=0x100, words=4096), end()]
    bench = Bench(CONFIG.override(short))
    failing(bench, program, ErrorCode.READ_BOUNDS, "load", 0)
    assert all(address >= 0xE000 for address, _ in bench.memory.reads[:2])
