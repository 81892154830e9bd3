"""cocotb tests of everything that can go wrong.

Each time: a readable error, an interrupt, no stray write, and a soft reset that recovers.
"""

import cocotb
import numpy as np
from cocotbext.axi import AxiResp

from hwgen.compiler.network import compile_network
from hwgen.driver import HardwareError
from hwgen.isa.checks import Reason
from hwgen.isa.packing import INSTRUCTION_BYTES, pack
from hwgen.isa.registers import UNITS, ErrorCode, State

from .bench import MEMORY_BYTES, Bench, software
from .memory import CHANNELS
from .networks import example, expected, image_of

CYCLES = 100_000
PATIENCE = 1500  # cycles of the watchdog
SETTLING = 100  # cycles in which what was asked for before the error may still come


class Incident:
    """A network in the memory of an accelerator, about to fail."""

    def __init__(self, bench: Bench):
        self.bench = bench
        self.network = example(gated=bench.config.array.gated)
        self.compiled = compile_network(self.network, bench.config)
        self.image = image_of(self.network)
        self.want = expected(self.network, self.image)["classifier"]
        self.session = None

    @classmethod
    async def prepare(cls, dut):
        """Everything in place, nothing started."""
        incident = cls(await Bench.start(dut, idle=0.1, backpressure=0.1))
        await software(incident._load)()
        return incident

    def _load(self) -> None:
        driver = self.bench.driver()
        driver.write("WATCHDOG", PATIENCE)
        self.session = driver.load(self.compiled, MEMORY_BYTES)

    def instruction(self, name: str, number: int = 0) -> int:
        """Index of the ``number``-th instruction called ``name``."""
        return [i for i, step in enumerate(self.compiled.program.steps) if step.name == name][
            number
        ]

    def overwrite(self, index: int, code: bytes) -> None:
        """Put another instruction into the program."""
        address = self.session.program + index * INSTRUCTION_BYTES
        self.bench.memory.write(address, code)

    async def strike(self, error: ErrorCode, unit: str | None = None, index: int | None = None):
        """Run into ``error``; returns the fields of STATUS. Then recover."""
        bench, session = self.bench, self.session
        behind = bytes(bench.memory.read(session.end, MEMORY_BYTES - session.end))
        bench.memory.written.clear()
        told = {}

        def fail():
            try:
                session.run(self.image, cycles=CYCLES)
            except HardwareError as stop:
                told["sentence"] = str(stop)
            told["status"] = session.driver.fields("STATUS")
            told["index"] = session.driver.read("ERROR_INDEX")
            told["interrupts"] = session.driver.read("INTERRUPT_STATUS")

        # The input is written by software; what the accelerator must leave alone is compared below.
        bench.memory.write(session.input, self.compiled.input.pack(self.image))
        before = bytes(bench.memory.read(0, session.work))
        await software(fail)()
        status = told["status"]
        assert error.sentence in told["sentence"], told
        assert (status["state"], ErrorCode(status["error"])) == (State.ERROR, error), told
        assert unit in (None, UNITS[status["unit"]]), told
        assert index in (None, told["index"]), told
        assert told["interrupts"] == 2 and bench.irq, told

        await bench.cycles(SETTLING)
        requests, written = bench.memory.requests, len(bench.memory.written)
        await bench.cycles(SETTLING)
        assert (requests, written) == (bench.memory.requests, len(bench.memory.written))
        assert bench.memory.written <= set(range(session.work, session.end))
        assert before == bytes(bench.memory.read(0, session.work))
        assert behind == bytes(bench.memory.read(session.end, MEMORY_BYTES - session.end))

        await software(self._recover)()
        return status

    def _recover(self) -> None:
        """Heal the bus, reset, and find the machine as good as new."""
        driver = self.session.driver
        driver.start(self.session.program, 1)
        assert driver.fields("STATUS")["state"] == State.ERROR  # a start changes nothing
        self.bench.memory.heal()
        driver.reset()
        assert driver.fields("STATUS")["state"] == State.IDLE
        assert not self.bench.irq
        self._load()
        got = self.session.run(self.image, cycles=CYCLES)
        np.testing.assert_array_equal(got.reshape(self.want.shape), self.want)
        assert self.bench.memory.written <= set(range(self.session.work, self.session.end))


def changed(step, **fields) -> bytes:
    """The instruction with other fields, well-formed or not."""
    return pack(step.name, wait=step.wait, post=step.post, **step.fields | fields)


@cocotb.test
@cocotb.parametrize(
    reason=[
        Reason.OPCODE,
        Reason.PADDING,
        Reason.FIELD,
        Reason.GATE,
        Reason.TILE,
        Reason.CHUNKS,
        Reason.STEP,
    ]
)
async def malformed_instruction(dut, reason):
    """The decoder stops the machine before a unit has seen it."""
    incident = await Incident.prepare(dut)
    config = incident.bench.config
    at = incident.instruction("PASS")
    step = incident.compiled.program.steps[at]
    code = {
        Reason.OPCODE: b"\x77" + changed(step)[1:],
        Reason.PADDING: changed(step)[:-1] + bytes([changed(step)[-1] | 0x80]),
        Reason.FIELD: changed(step, slots=config.array.slots + 1),
        Reason.GATE: changed(step, gate=1, conditional=1),
        Reason.TILE: changed(
            step, slots=config.array.slots, positions=config.array.rows * config.array.clusters
        ),
        Reason.CHUNKS: changed(step, chunks=step.fields["chunks"] + 1),
        Reason.STEP: changed(step, step_rows=0, step_columns=0),
    }[reason]
    incident.overwrite(at, code)
    status = await incident.strike(ErrorCode.MALFORMED, "fetch", at)
    assert Reason(status["detail"]) == reason


@cocotb.test
async def program_without_end(dut):
    """A program that does not say where it ends."""
    incident = await Incident.prepare(dut)
    last = len(incident.compiled.program.steps) - 1
    load = incident.compiled.program.steps[incident.instruction("LOAD")]
    incident.overwrite(last, pack("LOAD", **load.fields))
    await incident.strike(ErrorCode.NO_END)


@cocotb.test
async def misaligned_address(dut):
    """A tensor that begins within a word."""
    incident = await Incident.prepare(dut)
    at = incident.instruction("LOAD", 1)
    step = incident.compiled.program.steps[at]
    incident.overwrite(at, changed(step, address=step.fields["address"] + 1))
    await incident.strike(ErrorCode.ALIGNMENT, "load", at)


@cocotb.test
async def read_outside_of_the_window(dut):
    """The read is not issued."""
    incident = await Incident.prepare(dut)
    session = incident.session
    await software(lambda: session.driver.write("READ_END", session.input))()
    incident.bench.memory.bad_reads[range(session.input, MEMORY_BYTES)] = AxiResp.DECERR
    await incident.strike(ErrorCode.READ_BOUNDS, "load")


@cocotb.test
@cocotb.parametrize(side=["below", "above", "beyond"])
async def write_outside_of_the_window(dut, side):
    """The write is not issued: nothing at all has been written when the first store is refused."""
    incident = await Incident.prepare(dut)
    session = incident.session
    at = incident.instruction("STORE")
    step = incident.compiled.program.steps[at]
    if side == "below":
        await software(lambda: session.driver.write("WRITE_START", session.end - 1))()
    elif side == "above":
        await software(lambda: session.driver.write("WRITE_END", session.work + 1))()
    else:
        reach = (1 << incident.bench.config.bus.address_width) - 64 - session.work
        word = incident.bench.config.array.lanes
        incident.overwrite(at, changed(step, address=min(reach, (1 << 32) - 64) // word * word))
    written = incident.bench.memory.written
    recover = incident._recover

    def untouched():
        assert not written
        recover()

    incident._recover = untouched
    await incident.strike(ErrorCode.WRITE_BOUNDS, "store", at)


@cocotb.test
@cocotb.parametrize(response=[AxiResp.SLVERR, AxiResp.DECERR], what=["program", "tensor"])
async def memory_refuses_a_read(dut, response, what):
    """An error response to the fetch or to a load."""
    incident = await Incident.prepare(dut)
    session = incident.session
    start = session.program if what == "program" else session.input
    incident.bench.memory.bad_reads[range(start + 8, start + 16)] = response
    unit = "fetch" if what == "program" else "load"
    await incident.strike(ErrorCode.READ_RESPONSE, unit)


@cocotb.test
@cocotb.parametrize(response=[AxiResp.SLVERR, AxiResp.DECERR])
async def memory_refuses_a_write(dut, response):
    """An error response to a store."""
    incident = await Incident.prepare(dut)
    session = incident.session
    incident.bench.memory.bad_writes[range(session.work, session.end)] = response
    await incident.strike(ErrorCode.WRITE_RESPONSE, "store", incident.instruction("STORE"))


@cocotb.test
@cocotb.parametrize(channel=list(CHANNELS))
async def bus_stands_still(dut, channel):
    """A channel that stops for good: the watchdog ends the wait."""
    incident = await Incident.prepare(dut)
    memory = incident.bench.memory
    memory.channel(channel).clear_pause_generator()
    memory.channel(channel).pause = True
    await incident.strike(ErrorCode.WATCHDOG)


@cocotb.test
async def reset_during_a_standstill(dut):
    """Reset before the bus has given what it owes: the machine says so, and waits."""
    incident = await Incident.prepare(dut)
    bench, session = incident.bench, incident.session
    channel = bench.memory.channel("r")
    channel.clear_pause_generator()
    channel.pause = True

    @software
    def stop():
        bench.transport.write_memory(session.input, incident.compiled.input.pack(incident.image))
        session.driver.start(session.program, len(incident.compiled.program.steps))
        assert not bench.transport.wait(PATIENCE // 2)
        session.driver.write("CONTROL", 2)
        status = session.driver.fields("STATUS")
        assert (status["state"], status["bus_idle"]) == (State.RESETTING, 0)

    @software
    def resume():
        session.driver.reset()
        got = session.run(incident.image, cycles=CYCLES)
        np.testing.assert_array_equal(got.reshape(incident.want.shape), incident.want)

    await stop()
    await bench.cycles(SETTLING)
    bench.memory.heal()
    await resume()


@cocotb.test
async def token_that_never_comes(dut):
    """A program that waits for itself: the bus is well, and still the machine ends."""
    incident = await Incident.prepare(dut)
    at = incident.instruction("PASS")
    step = incident.compiled.program.steps[at]
    incident.overwrite(at, pack("PASS", wait={19}, post=step.post, **step.fields))
    await incident.strike(ErrorCode.WATCHDOG)
