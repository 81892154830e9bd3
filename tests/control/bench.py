"""The control with a memory, buffers and units around it, all played by Python."""

import random
from collections import deque

from amaranth import Cat

from hwgen.isa.packing import INSTRUCTION_BYTES
from hwgen.isa.registers import ErrorCode, State, registers
from hwgen.rtl.commands import instruction_layout
from hwgen.rtl.control.ports import activation_write, weight_store
from hwgen.rtl.drain.records import record_write

from .memory import Memory
from .rig import rig

__all__ = ["Bench"]


class Unit:
    """A unit that takes commands, up to ``in_flight`` at once, and is done with each after a random
    time."""

    def __init__(self, bench, unit: str, instruction: str, stream: str, done: str, in_flight: int):
        self._bench, self._unit, self._in_flight = bench, unit, in_flight
        self._layout = instruction_layout(instruction, bench.config)
        self._stream, self._done = stream, done
        self._ends = deque()
        self._started = 0
        self.commands = []

    def step(self, now: dict) -> dict:
        bench, stream = self._bench, self._stream
        if now[self._done]:
            bench.log.append(("done", self._unit, self._ends.popleft()[1]))
        if now[f"{stream}.valid"] and now[f"{stream}.ready"]:
            command = self._layout.from_bits(now[f"{stream}.payload"])
            self.commands.append({name: command[name] for name, _field in self._layout})
            bench.log.append(("start", self._unit, self._started))
            self._ends.append((bench.time + 2 + bench.random.randrange(30), self._started))
            self._started += 1
        elif now[f"{stream}.valid"]:
            assert len(self._ends) < self._in_flight, "more commands than the unit was promised"
        if now["unit_reset"]:
            self._ends.clear()
        ending = bool(self._ends) and self._ends[0][0] <= bench.time
        return {
            f"{stream}.ready": bench.moves() and len(self._ends) < self._in_flight,
            self._done: ending and self._unit not in bench.stuck,
        }


class Buffer:
    """A buffer that words are written to."""

    def __init__(self, bench, stream: str, layout, address: str, data: str, words: list[int]):
        self._bench, self._stream, self._words = bench, stream, words
        self._layout, self._address, self._data = layout, address, data
        self._waiting = None

    def step(self, now: dict) -> dict:
        stream = self._stream
        payload = now[f"{stream}.payload"]
        assert self._waiting in (None, payload), "payload changed while it waited"
        self._waiting = None
        if now[f"{stream}.valid"] and not now["unit_reset"]:
            if now[f"{stream}.ready"]:
                write = self._layout.from_bits(payload)
                self._words[write[self._address]] = write[self._data]
            else:
                self._waiting = payload
        return {f"{stream}.ready": self._bench.moves()}


class Reader:
    """The port of the activation buffer that is read."""

    def __init__(self, bench, words: list[int]):
        self._bench, self._words = bench, words
        self._answers = deque()

    def step(self, now: dict) -> dict:
        if now["activation_data.valid"] and now["activation_data.ready"]:
            self._answers.popleft()
        if now["activation_requests.valid"] and now["activation_requests.ready"]:
            self._answers.append(self._words[now["activation_requests.payload"]])
        if now["unit_reset"]:
            self._answers.clear()
        waiting = now["activation_data.valid"] and not now["activation_data.ready"]
        return {
            "activation_requests.ready": self._bench.moves() and len(self._answers) < 3,
            "activation_data.valid": bool(self._answers) and (waiting or self._bench.moves()),
            "activation_data.payload": self._answers[0] if self._answers else 0,
        }


class Bench:
    """Registers by name, a memory, buffers as lists, and units that take a random time.

    ``log`` holds ("start" or "done", unit, number of its command) in the order of time.
    """

    def __init__(self, config, *, seed=0, stall=0.0, latency=1, size=1 << 16, program=0xE000):
        self.config = config
        self._rig = rig(config)
        self.dut = self._rig.dut
        self.scenario = None
        self.random = random.Random(seed)
        self.stall = stall
        self.program = program
        self.time = 0
        self.limit = 8000  # cycles; no scenario may take longer
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
        self.stuck = set()  # units that never get done
        self.inputs = {}  # other inputs of the control
        self._surround()
        self.offsets = {r.name: r.offset for r in registers(config)}
        self.fields = {
            r.name: (r.lows(), {f.name: f.bits for f in r.fields}) for r in registers(config)
        }

    def _surround(self):
        """Units and buffers around the control."""
        config = self.config
        self.units = {
            "array": Unit(self, "array", "PASS", "passes", "pass_done", 4),
            "drain": Unit(self, "drain", "DRAIN", "drains", "drain_done", 1),
        }
        if config.drain.pool:
            self.units["vector"] = Unit(self, "vector", "VECTOR", "vectors", "vector_done", 1)
        places = ("address", "data")
        writes = activation_write(config)
        self._parts = [
            *self.units.values(),
            Buffer(self, "activation_writes", writes, *places, self.activations),
            Buffer(self, "weight_writes", weight_store(config), *places, self.weights),
            Buffer(self, "record_writes", record_write(config), "index", "record", self.records),
            Reader(self, self.activations),
        ]

    def run(self, scenario):
        """Run ``scenario(bench, ctx)`` to its end, from a hard reset."""
        self.scenario = scenario
        self._rig.run(self)

    def step(self, now: dict[str, int]) -> dict[str, int]:
        """One cycle of everything around the control."""
        self.time += 1
        assert self.time < self.limit, "the scenario does not come to its end"
        axi = {n.removeprefix("m_axi."): v for n, v in now.items() if n.startswith("m_axi.")}
        driven = self.memory.step(axi, self.config.bus.data_width // 8)
        result = {f"m_axi.{name}": value for name, value in driven.items()} | self.inputs
        for part in self._parts:
            result |= part.step(now)
        return result

    def moves(self) -> bool:
        """Whether something does not stall in this cycle."""
        return self.random.random() >= self.stall

    # What software does

    async def write(self, ctx, name: str, value: int, strobes: int = 0xF) -> int:
        """Write a register, by name or offset; returns the response."""
        axi = self.dut.s_axi
        channels = Cat(axi.awvalid, axi.wvalid, axi.bready, axi.wstrb, axi.wdata, axi.awaddr)
        ctx.set(channels, 7 | strobes << 3 | value << 7 | self.offsets.get(name, name) << 39)
        await ctx.tick().until(axi.awready & axi.wready)
        ctx.set(Cat(axi.awvalid, axi.wvalid), 0)
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
        ctx.set(Cat(axi.arvalid, axi.rready, axi.araddr), 3 | offset << 2)
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
            if window is None:
                window = range(len(self.memory.data))
            await self.wide(ctx, f"{name}_START", window.start)
            await self.wide(ctx, f"{name}_END", window.stop)
        await self.write(ctx, "INTERRUPT_ENABLE", 3)

    async def start(self, ctx) -> dict[str, int]:
        """Start, wait for the interrupt; STATUS then."""
        await self.write(ctx, "CONTROL", 1)
        await ctx.tick().until(self.dut.irq)
        return await self.status(ctx)

    async def reset(self, ctx) -> None:
        """Soft reset, until the machine is idle."""
        await self.write(ctx, "CONTROL", 2)
        while True:
            status = await self.status(ctx)
            if status["state"] == State.IDLE:
                assert status["error"] == ErrorCode.NONE
                assert not ctx.get(self.dut.irq)
                return
