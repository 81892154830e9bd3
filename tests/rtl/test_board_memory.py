"""The memory of a board: bursts both ways and single words at once, against bytes."""

import random

import pytest
from amaranth.sim import Simulator

from hwgen.memory import collision_checks
from hwgen.rtl.axi import OKAY, SLVERR
from hwgen.rtl.board.memory import BoardMemory

SIZE = 1024
WRITTEN, READ, WORDS = 0, SIZE // 2, SIZE // 4
"""The bus writes from the first on and reads from the second on; the bridge writes between them."""


async def until(ctx, flag, *values):
    """Wait for a cycle with ``flag``; returns what the values are in it."""
    while True:
        _clk, _rst, seen, *found = await ctx.tick().sample(flag, *values)
        if seen:
            return found


class Actors:
    """Who uses the memory, each at its own pace, and what must lie in it."""

    def __init__(self, dut, width, seed):
        self.dut, self.beat = dut, width // 8
        self.rng = random.Random(seed)
        self.memory = bytearray(SIZE)
        self.busy = 2

    async def pause(self, ctx):
        while self.rng.random() < 0.3:
            await ctx.tick()

    async def word(self, ctx, number, data=None):
        """A request of the bridge."""
        request = self.dut.request
        value = int.from_bytes(data or b"", "little")
        ctx.set(request.payload, {"address": number, "write": data is not None, "data": value})
        ctx.set(request.valid, 1)
        await until(ctx, request.ready)
        ctx.set(request.valid, 0)
        if data is None:
            expected = self.memory[4 * number : 4 * number + 4]
            assert ctx.get(self.dut.row).to_bytes(4, "little") == expected, number
        else:
            self.memory[4 * number : 4 * number + 4] = data

    async def bridge(self, ctx):
        for number in range(SIZE // 4):
            await self.word(ctx, number, self.rng.randbytes(4))
        self.filled = True
        while self.busy:
            await self.pause(ctx)
            await self.word(ctx, self.rng.randrange(READ // 4, SIZE // 4))
            number = self.rng.randrange(WORDS // 4, READ // 4)
            await self.word(ctx, number, self.rng.randbytes(4))
        for number in range(SIZE // 4):
            await self.word(ctx, number)

    async def burst(self, ctx, address, length, valid, ready, first, count):
        ctx.set(address, first * self.beat)
        ctx.set(length, count - 1)
        ctx.set(valid, 1)
        await until(ctx, ready)
        ctx.set(valid, 0)

    async def writer(self, ctx):
        axi, rng, beat = self.dut.axi, self.rng, self.beat
        while not self.filled:
            await ctx.tick()
        for _ in range(60):
            first = rng.randrange(WORDS // beat)
            count = rng.randint(1, WORDS // beat - first)
            await self.burst(ctx, axi.awaddr, axi.awlen, axi.awvalid, axi.awready, first, count)
            for n in range(count):
                await self.pause(ctx)
                data, strobes = rng.randbytes(beat), rng.getrandbits(beat)
                ctx.set(axi.wdata, int.from_bytes(data, "little"))
                ctx.set(axi.wstrb, strobes)
                ctx.set(axi.wlast, n == count - 1)
                ctx.set(axi.wvalid, 1)
                await until(ctx, axi.wready)
                ctx.set(axi.wvalid, 0)
                for byte in range(beat):
                    if strobes >> byte & 1:
                        self.memory[(first + n) * beat + byte] = data[byte]
            ctx.set(axi.bready, 1)
            assert await until(ctx, axi.bvalid, axi.bresp) == [OKAY]
            ctx.set(axi.bready, 0)
        self.busy -= 1

    async def reader(self, ctx):
        axi, rng, beat = self.dut.axi, self.rng, self.beat
        while not self.filled:
            await ctx.tick()
        for _ in range(90):
            first = rng.randrange(READ // beat, SIZE // beat)
            count = rng.randint(1, 20)  # perhaps beyond the end
            await self.burst(ctx, axi.araddr, axi.arlen, axi.arvalid, axi.arready, first, count)
            for n in range(count):
                await self.pause(ctx)
                ctx.set(axi.rready, 1)
                data, last, answer = await until(ctx, axi.rvalid, axi.rdata, axi.rlast, axi.rresp)
                ctx.set(axi.rready, 0)
                at = (first + n) * beat
                assert last == (n == count - 1)
                assert answer == (OKAY if at < SIZE else SLVERR)
                if at < SIZE:
                    assert data.to_bytes(beat, "little") == self.memory[at : at + beat]
        self.busy -= 1

    filled = False


@pytest.mark.parametrize(("width", "seed"), [(32, 1), (128, 2)])
def test_all_at_once(width, seed):
    """No beat is lost and none is stale; the memory is never read while it is written."""
    dut = BoardMemory(size=SIZE, address_width=16, data_width=width)
    actors = Actors(dut, width, seed)
    with collision_checks():
        simulator = Simulator(dut)
        simulator.add_clock(1e-6)
        for actor in (actors.bridge, actors.writer, actors.reader):
            simulator.add_testbench(actor)
        simulator.run()
    assert actors.busy == 0


def test_writes_beyond_the_end():
    """They are answered with an error, and change nothing."""
    dut = BoardMemory(size=SIZE, address_width=16, data_width=32)
    actors = Actors(dut, 32, 3)

    async def bench(ctx):
        for number in range(SIZE // 4):
            await actors.word(ctx, number, actors.rng.randbytes(4))
        axi = dut.axi
        for first in (SIZE // 4, SIZE // 4 - 2):
            await actors.burst(ctx, axi.awaddr, axi.awlen, axi.awvalid, axi.awready, first, 4)
            ctx.set(axi.wvalid, 1)
            ctx.set(axi.wstrb, 0b1111)
            for n in range(4):
                ctx.set(axi.wdata, n)
                ctx.set(axi.wlast, n == 3)
                await until(ctx, axi.wready)
                at = 4 * (first + n)
                if at < SIZE:
                    actors.memory[at : at + 4] = n.to_bytes(4, "little")
            ctx.set(axi.wvalid, 0)
            ctx.set(axi.bready, 1)
            assert await until(ctx, axi.bvalid, axi.bresp) == [SLVERR]
            ctx.set(axi.bready, 0)
        for number in range(SIZE // 4):
            await actors.word(ctx, number)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
