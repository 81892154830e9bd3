"""The control with a memory, buffers and units around it, all played by Python."""

import random
from collections import deque

from amaranth.sim import Simulator

from hwgen.isa.packing import INSTRUCTION_BYTES
from hwgen.isa.registers import ErrorCode, State, registers
from hwgen.memory import collision_checks
from hwgen.rtl.control.control import Control

from .memory import Memory

__all__ = ["Bench"]

# Building costs as much as simulating: what is built for a configuration is used by all its tests.
_rigs = {}


class Rig:
    """A simulator of the control of ``config``; ``bench`` is who plays what is around it."""

    def __init__(self, config):
        self.dut = dut = Control(config)
        self.bench = None
        with collision_checks():
            self.simulator = Simulator(dut)
        self.simulator.add_clock(1e-6)
        self.simulator.add_testbench(self._main)
        background = {
            "memory": lambda bench: bench.memory.bench(dut.m_axi),
            "activations": lambda b: b.buffer(dut.activation_writes, b.activations),
            "weights": lambda b: b.buffer(dut.weight_writes, b.weights),
            "records": lambda b: b.buffer(dut.record_writes, b.records, "index", "record"),
            "reader": lambda bench: bench.read_port,
            "array": lambda bench: bench.unit("array", dut.passes, dut.pass_done, 4),
            "drain": lambda bench: bench.unit("drain", dut.drains, dut.drain_done, 1),
        }
        if config.drain.pool:
            background["vector"] = lambda b: b.unit("vector", dut.vectors, dut.vector_done, 1)
        for make in background.values():
            self.simulator.add_testbench(self._later(make), background=True)

    async def _main(self, ctx):
        await ctx.tick()
        await self.bench.scenario(self.bench, ctx)

    def _later(self, make):
        async def process(ctx):
            await make(self.bench)(ctx)

        return process


class Bench:
    """Registers by name, a memory, buffers as lists, and units that take a random time.

    ``log`` holds ("start" or "done", unit, number of its command) in the order of time.
    """

    def __init__(self, config, *, seed=0, stall=0.0, latency=1, size=1 << 16, program=0xE000):
        self.config = config
        key = config.hash
        if key not in _rigs:
            _rigs[key] = Rig(config)
        self._rig = _rigs[key]
        self.dut = self._rig.dut
        self.scenario = None
        self.random = random.Random(seed)
        self.stall = stall
        self.program = program
        self.memory = Memory(
            bytearray(self.random.randbytes(size)),
            seed=seed,
            stall=stall,
            latency=latency,
            longest=config.bus.burst,
            outstanding=config.bus.outstanding,
        )
        words = config.array.clusters * config.memory.activation_words
        self.activations = [0] * words
        self.weights = [0] * config.memory.weight_words
        self.records = [0] * config.memory.parameter_words
        self.log = []
        self.commands = {"array": [], "drain": [], "vector": []}
        self.stuck = set()  # units that never get done
        self.offsets = {r.name: r.offset for r in registers(config)}
        self.fields = {r.name: (r.lows(), {f.name: f.bits for f in r.fields}) for r in registers(config)}

    def run(self, scenario):
        """Run ``scenario(bench, ctx)`` to its end, from a hard reset."""
        self.scenario = scenario
        if self._rig.bench is not None:
            self._rig.simulator.reset()
        self._rig.bench = self
        self._rig.simulator.run()

    # What is around the control

    def _moves(self) -> bool:
        return self.random.random() >= self.stall

    def buffer(self, stream, words, address="address", data="data"):
        async def process(ctx):
            before = None
            while True:
                ready = self._moves()
                ctx.set(stream.ready, ready)
                _clock, _reset, valid, where, what, cleared = await ctx.tick().sample(
                    stream.valid,
                    stream.payload[address],
                    stream.payload[data],
                    self.dut.unit_reset,
                )
                assert before in (None, (where, what)), "payload changed while it waited"
                before = (where, what) if valid and not ready and not cleared else None
                if valid and ready:
                    words[where] = what

        return process

    async def read_port(self, ctx):
        dut = self.dut
        answers = deque()
        valid = False
        while True:
            ready = self._moves() and len(answers) < 4
            ctx.set(dut.activation_requests.ready, ready)
            if not valid and answers and self._moves():
                ctx.set(dut.activation_data.payload, answers[0])
                valid = True
            ctx.set(dut.activation_data.valid, valid)
            _clock, _reset, asked, address, taken, cleared = await ctx.tick().sample(
                dut.activation_requests.valid,
                dut.activation_requests.payload,
                dut.activation_data.ready,
                dut.unit_reset,
            )
            if valid and taken:
                answers.popleft()
                valid = False
            if asked and ready:
                answers.append(self.activations[address])
            if cleared:
                answers.clear()
                valid = False

    def unit(self, unit, commands, done, in_flight):
        async def process(ctx):
            ends, time, started = deque(), 0, 0
            while True:
                ready = self._moves() and len(ends) < in_flight
                ending = bool(ends) and ends[0][0] <= time and unit not in self.stuck
                ctx.set(commands.ready, ready)
                ctx.set(done, ending)
                _clock, _reset, valid, payload, cleared = await ctx.tick().sample(
                    commands.valid, commands.payload, self.dut.unit_reset
                )
                time += 1
                if ending:
                    self.log.append(("done", unit, ends.popleft()[1]))
                if valid and ready:
                    self.commands[unit].append({name: payload[name] for name, _ in payload.shape()})
                    self.log.append(("start", unit, started))
                    ends.append((time + self.random.randrange(30), started))
                    started += 1
                if cleared:
                    ends.clear()

        return process

    # What software does

    async def write(self, ctx, name: str, value: int, strobes: int = 0xF) -> int:
        """Write a register, by name or offset; returns the response."""
        axi = self.dut.s_axi
        ctx.set(axi.awaddr, self.offsets.get(name, name))
        ctx.set(axi.wdata, value)
        ctx.set(axi.wstrb, strobes)
        ctx.set(axi.awvalid, 1)
        ctx.set(axi.wvalid, 1)
        ctx.set(axi.bready, 1)
        await ctx.tick().until(axi.awready & axi.wready)
        ctx.set(axi.awvalid, 0)
        ctx.set(axi.wvalid, 0)
        (response,) = await ctx.tick().sample(axi.bresp).until(axi.bvalid)
        return response

    async def read(self, ctx, name: str) -> int:
        """Read a register that exists."""
        value, response = await self.read_response(ctx, self.offsets[name])
        assert response == 0
        return value

    async def read_response(self, ctx, offset: int) -> tuple[int, int]:
        """Read an address; (value, response)."""
        axi = self.dut.s_axi
        ctx.set(axi.araddr, offset)
        ctx.set(axi.arvalid, 1)
        ctx.set(axi.rready, 1)
        await ctx.tick().until(axi.arready)
        ctx.set(axi.arvalid, 0)
        return await ctx.tick().sample(axi.rdata, axi.rresp).until(axi.rvalid)

    async def wide(self, ctx, name: str, value: int) -> None:
        """Write a register pair."""
        await self.write(ctx, f"{name}_LOW", value & 0xFFFFFFFF)
        await self.write(ctx, f"{name}_HIGH", value >> 32)

    async def status(self, ctx) -> dict[str, int]:
        """STATUS, taken apart."""
        value = await self.read(ctx, "STATUS")
        lows, bits = self.fields["STATUS"]
        return {name: value >> low & (1 << bits[name]) - 1 for name, low in lows.items()}

    async def prepare(self, ctx, program: list[bytes], *, read=None, write=None) -> None:
        """Put a program into memory, open the windows, enable interrupts."""
        code = b"".join(program)
        self.memory.data[self.program : self.program + len(code)] = code
        await self.wide(ctx, "PROGRAM", self.program)
        await self.write(ctx, "LENGTH", len(code) // INSTRUCTION_BYTES)
        for name, window in (("READ", read), ("WRITE", write)):
            window = window or range(len(self.memory.data))
            await self.wide(ctx, f"{name}_START", window.start)
            await self.wide(ctx, f"{name}_END", window.stop)
        await self.write(ctx, "INTERRUPT_ENABLE", 3)

    async def start(self, ctx, cycles: int = 20000) -> dict[str, int]:
        """Start, wait for the interrupt; STATUS then."""
        await self.write(ctx, "CONTROL", 1)
        await self.interrupt(ctx, cycles)
        return await self.status(ctx)

    async def interrupt(self, ctx, cycles: int = 20000) -> None:
        """Wait for the interrupt."""
        for _ in range(cycles):
            if ctx.get(self.dut.irq):
                return
            await ctx.tick()
        raise AssertionError(f"no interrupt in {cycles} cycles")

    async def reset(self, ctx, cycles: int = 2000) -> None:
        """Soft reset, until the machine is idle."""
        await self.write(ctx, "CONTROL", 2)
        for _ in range(cycles):
            status = await self.status(ctx)
            if status["state"] == State.IDLE:
                assert status["error"] == ErrorCode.NONE
                assert not ctx.get(self.dut.irq)
                return
        raise AssertionError(f"not idle after {cycles} polls: {status}")
