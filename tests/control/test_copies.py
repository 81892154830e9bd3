"""Loads and stores of every width against the model, and how fast they are."""

import pytest

from hwgen.compiler.weights import Spread, spread
from hwgen.config import load as load_config
from hwgen.isa.registers import ErrorCode, State

from .bench import Bench
from .programs import copies, end, load, store

SIZE = 0x8000


def config(bus: int, lanes: int, **more):
    """``tiny`` with other widths."""
    settings = {
        "array.lanes": lanes,
        "bus.data_width": bus,
        "bus.burst": 4,
        "memory.weight_slots": 2,
        "memory.activation_words": 64,
        "memory.weight_words": 64,
        "array.rows": 16,
    }
    return load_config("tiny", settings | more)


WIDTHS = [(bus, lanes, True) for bus in (32, 64, 128, 256) for lanes in (4, 8, 16)]
WIDTHS += [(32, 4, False), (64, 16, False), (256, 8, False)]


@pytest.mark.parametrize("bus, lanes, gated", WIDTHS)
def test_random_copies(bus, lanes, gated):
    chosen = config(bus, lanes, **{"array.gated": gated})
    # Without gates there is no base path, the second half of a record.
    known = (1 << (256 if gated else 128)) - 1
    for seed, stall, latency in ((1, 0.0, 1), (bus + lanes, 0.4, 7)):
        bench = Bench(chosen, seed=seed, stall=stall, latency=latency)
        bases = [bench.random.randrange(0, 0x4000, 32) for _ in range(8)]
        expected = bytearray(bench.memory.data)
        buffers = [[0] * len(b) for b in (bench.activations, bench.weights, bench.records)]
        program = copies(chosen, seed, bases, SIZE).program(6, expected, buffers)

        async def scenario(bench, ctx, bases=bases, program=program):
            for n, base in enumerate(bases):
                await bench.wide(ctx, f"BASE{n}", base)
            await bench.prepare(ctx, program, write=range(SIZE))
            status = await bench.start(ctx)
            assert (status["state"], status["error"]) == (State.IDLE, ErrorCode.NONE)
            assert status["bus_idle"]
            assert await bench.read(ctx, "INTERRUPT_STATUS") == 1

        bench.run(scenario)
        assert [bench.activations, bench.weights] == buffers[:2]
        assert [r & known for r in bench.records] == [r & known for r in buffers[2]]
        assert bench.memory.data[:SIZE] == expected[:SIZE]
        assert max(bench.memory.written, default=0) < SIZE


DENSE = {"array.mac": "bricks", "array.modes": ["8x8", "8x4", "8x2", "4x4", "4x2", "2x2"]}
ROOMS = [(room, room - offset) for room, offset in ((8, 0), (8, 4), (8, 6), (4, 0), (4, 2))]


@pytest.mark.parametrize("bus, lanes", [(32, 16), (64, 2), (128, 8)])
def test_dense_weights(bus, lanes):
    """Every width that a mode leaves free, one behind the other and among other loads."""
    chosen = config(bus, lanes, **DENSE)
    bench = Bench(chosen, seed=lanes, stall=0.3, latency=5)
    expected, program, previous = list(bench.weights), [], None
    for number, (room, width) in enumerate(ROOMS * 2):
        bits = bench.random.randint(1, min(width, room - 1))
        words, buffer = bench.random.choice((1, 2, 13)), bench.random.randrange(64)
        address = bench.random.randrange(0, 0x4000, bus // 8)
        how = Spread(bits, room, room - width)
        count = words * chosen.weight_word_bits // room * bits
        behind = int.from_bytes(bench.memory.data[address:], "little")
        data = (behind & (1 << count) - 1).to_bytes(-(-count // 8), "little")
        for n, word in enumerate(spread(chosen, data, words, how)):
            expected[(buffer + n) % 64] = int.from_bytes(word.tobytes(), "little")
        wait = () if previous is None else (previous,)
        fields = {"target": 1, "address": address, "words": words, "buffer": buffer}
        program.append(load(wait, (number,), **fields, **how.fields))
        previous = number
        if number % 3 == 0:
            previous = 10 + number
            program.append(load((number,), (previous,), address=0x40 * number, words=3))

    async def scenario(bench, ctx):
        await bench.prepare(ctx, [*program, end((previous,))])
        status = await bench.start(ctx)
        assert (status["state"], status["error"]) == (State.IDLE, ErrorCode.NONE)

    bench.run(scenario)
    assert bench.weights == expected
    assert bench.activations[0:3] != [0, 0, 0]


@pytest.mark.parametrize("bits, beats", [(2, 12), (4, 24), (7, 42)])
def test_speed_of_dense_weights(bits, beats):
    """A word a cycle; only the beats that hold something are read."""
    chosen = config(128, 8, **DENSE, **{"bus.outstanding": 4})
    bench = Bench(chosen, latency=8)

    async def scenario(bench, ctx):
        program = [load(post=[0], target=1, words=48, bits=bits, room=3), end([0])]
        await bench.prepare(ctx, program)
        await bench.start(ctx)
        assert 48 <= await bench.read(ctx, "CYCLES") <= 48 + 75
        assert await bench.read(ctx, "BYTES_READ") == 16 * beats + 64

    bench.run(scenario)


@pytest.mark.parametrize(
    "target, lanes, bus", [(0, 8, 64), (0, 4, 64), (1, 8, 128), (1, 4, 32), (2, 4, 32)]
)
def test_speed_of_a_long_load(target, lanes, bus):
    """One beat a cycle, or one word where a beat has several; addresses and latency hide."""
    chosen = config(bus, lanes, **{"bus.outstanding": 4})
    word = (lanes, 2 * lanes, 32)[target]
    words = 48
    cycles = words * max(1, word * 8 // bus)
    bench = Bench(chosen, latency=8)

    async def scenario(bench, ctx):
        program = [load(post=[0], target=target, words=words), end([0])]
        await bench.prepare(ctx, program)
        await bench.start(ctx)
        taken = await bench.read(ctx, "CYCLES")
        # Fetching, decoding, the first latency and the end.
        assert cycles <= taken <= cycles + 70
        assert await bench.read(ctx, "BYTES_READ") == words * word + 64

    bench.run(scenario)


def test_short_rows_follow_each_other():
    """A row of two beats costs three cycles."""
    chosen = config(64, 8, **{"bus.outstanding": 4})
    bench = Bench(chosen)

    async def scenario(bench, ctx):
        fields = {"words": 2, "rows": 15, "planes": 2, "row_stride": 4, "plane_stride": 64}
        program = [load(post=[0], buffer_row_stride=2, buffer_plane_stride=30, **fields)]
        await bench.prepare(ctx, [*program, end([0])])
        await bench.start(ctx)
        assert await bench.read(ctx, "CYCLES") <= 30 * 3 + 70

    bench.run(scenario)


def test_store_writes_the_bytes_of_its_words_only():
    chosen = config(256, 4)
    bench = Bench(chosen, stall=0.3)
    before = bytes(bench.memory.data)

    async def scenario(bench, ctx):
        program = [
            load(post=[0], address=0, words=9),
            store([0], [1], address=0x1004, words=9),
            end([1]),
        ]
        await bench.prepare(ctx, program, write=range(0x1004, 0x1004 + 36))
        status = await bench.start(ctx)
        assert status["error"] == ErrorCode.NONE

    bench.run(scenario)
    assert bench.memory.written == set(range(0x1004, 0x1028))
    assert bench.memory.data[0x1004:0x1028] == before[:36]
    assert bench.memory.data[:0x1004] + bench.memory.data[0x1028:0xE000] == (
        before[:0x1004] + before[0x1028:0xE000]
    )


def test_what_was_stored_can_be_loaded():
    """A store is done when memory has answered: what waits for it reads the new bytes."""
    chosen = config(64, 8)
    bench = Bench(chosen, latency=40)

    async def scenario(bench, ctx):
        program = [
            load(post=[0], address=0x100, words=4),
            store([0], [1], address=0x4000, words=4),
            load([1], [2], address=0x4000, words=4, buffer=32),
            end([2]),
        ]
        await bench.prepare(ctx, program)
        await bench.start(ctx)

    bench.run(scenario)
    assert any(bench.activations[:4])
    assert bench.activations[32:36] == bench.activations[:4]
