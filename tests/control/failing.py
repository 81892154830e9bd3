"""A program that fails, and the machine after it."""

from hwgen.isa.registers import UNITS, ErrorCode, State

__all__ = ["fails_and_recovers"]


def fails_and_recovers(good, window, owed, bench, program, error, unit, index, detail=0, **windows):
    """Run ``program`` to its error, reset, and run a good one, which copies 40 words from 0x100 to
    0x2000. All that is written lies in ``window``; ``windows`` are what the machine is told. After
    the error it writes at most the beats that it ``owed`` to the bus.
    """
    words = {"read": range(0x10000), "write": window} | windows

    async def scenario(bench, ctx):
        await bench.prepare(ctx, program, **words)
        await bench.write(ctx, "WATCHDOG", 300)
        status = await bench.start(ctx)
        assert status["state"] == State.ERROR
        assert ErrorCode(status["error"]) == error
        assert (UNITS[status["unit"]], status["detail"]) == (unit, detail)
        assert await bench.read(ctx, "ERROR_INDEX") == index
        assert await bench.read(ctx, "INTERRUPT_STATUS") == 2
        written = set(bench.memory.written)
        await ctx.tick().repeat(50)
        asked = len(bench.memory.reads), len(bench.memory.writes)
        await ctx.tick().repeat(50)
        assert asked == (len(bench.memory.reads), len(bench.memory.writes))
        # A start in the error state does nothing.
        await bench.write(ctx, "CONTROL", 1)
        assert (await bench.status(ctx))["state"] == State.ERROR
        await bench.write(ctx, "CONTROL", 2)
        if bench.memory.frozen and not bench.memory.quiet:
            # The bus owes answers: the machine waits for them, and says so.
            status = await bench.status(ctx)
            assert status["state"] == State.RESETTING and not status["bus_idle"]
        bench.memory.frozen.clear()
        bench.memory.bad_reads = bench.memory.bad_writes = range(0)
        bench.stuck.clear()
        bench.inputs.clear()
        bench.program = 0xD000
        await bench.reset(ctx)
        assert bench.memory.quiet
        beat = bench.config.bus.data_width // 8
        assert len(bench.memory.written - written) <= owed * beat
        await bench.prepare(ctx, good, write=window)
        status = await bench.start(ctx)
        assert (status["state"], status["error"]) == (State.IDLE, ErrorCode.NONE)
        data, size = bench.memory.data, 40 * bench.config.array.lanes
        assert data[0x2000 : 0x2000 + size] == data[0x100 : 0x100 + size]

    bench.run(scenario)
    assert bench.memory.written <= set(window)
