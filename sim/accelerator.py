"""cocotb tests of a whole accelerator that does what it should."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

import hwgen
from hwgen.compiler.network import compile_network
from hwgen.isa.registers import IDENTIFICATION, State, registers
from models.reference import run as reference

from .bench import MEMORY_BYTES, Bench, software
from .networks import example, expected, image_of

CYCLES = 200_000


@cocotb.test
async def registers_tell_the_configuration(dut):
    """Constants, reset values, and that what can be written reads back and nothing else does."""
    bench = await Bench.start(dut, idle=0.3, backpressure=0.3)

    @software
    def check():
        driver = bench.driver()
        config = bench.config
        assert driver.read("ID") == IDENTIFICATION
        assert driver.fields("VERSION")["major"] == int(hwgen.__version__.split(".")[0])
        shape = driver.fields("SHAPE")
        array = config.array
        assert (shape["clusters"], shape["engines"]) == (array.clusters, array.engines)
        assert (shape["lanes"], shape["slots"]) == (array.lanes, array.slots)
        assert driver.fields("PARTS")["gated"] == array.gated
        assert driver.fields("STATUS")["state"] == State.IDLE
        for register in registers(config):
            assert driver.read(register.name) == register.reset or register.access == "ro"
            if register.access in ("rw", "constant", "ro"):
                ones = (1 << register.bits) - 1
                before = driver.read(register.name)
                driver.write(register.name, 0xFFFFFFFF)
                after = driver.read(register.name)
                assert after == (ones if register.access == "rw" else before), register.name
                driver.write(register.name, register.reset)

    await check()
    assert not bench.irq
    assert bench.memory.requests == 0


@cocotb.test
@cocotb.parametrize(idle=[0.0, 0.4], backpressure=[0.0, 0.4])
async def network_is_bit_exact(dut, idle, backpressure):
    """Every edge of a network, whatever the buses do; a second image finds a used machine."""
    bench = await Bench.start(dut, idle=idle, backpressure=backpressure, seed=3)
    network = example(gated=bench.config.array.gated)
    compiled = compile_network(network, bench.config)

    @software
    def run():
        session = bench.driver().load(compiled, MEMORY_BYTES)
        for number in range(2 if idle else 1):
            image = image_of(network, number)
            want = expected(network, image)
            compared = []

            def compare(name, got, want=want, compared=compared):
                np.testing.assert_array_equal(got.reshape(want[name].shape), want[name], name)
                compared.append(name)

            session.run(image, cycles=CYCLES, inspect=compare)
            assert "stem" in compared and "classifier" in compared
        return session

    session = await run()
    assert bench.memory.written <= set(range(session.work, session.end))


@cocotb.test
async def counters_and_interrupt(dut):
    """The interrupt rises once, falls when cleared, stays low when not enabled; counters add up."""
    bench = await Bench.start(dut)
    network = example(gated=bench.config.array.gated)
    compiled = compile_network(network, bench.config)
    image = image_of(network)

    @software
    def prepare():
        session = bench.driver().load(compiled, MEMORY_BYTES)
        bench.transport.write_memory(session.input, compiled.input.pack(image))
        return session

    @software
    def start():
        session.driver.start(session.program, len(compiled.program.steps))
        assert session.driver.fields("STATUS")["state"] == State.RUNNING

    @software
    def finish():
        session.driver.finish(CYCLES)
        return session.driver.counters()

    session = await prepare()
    await start()
    assert not bench.irq
    await RisingEdge(dut.irq)
    await bench.cycles(3)
    assert bench.irq
    counters = await finish()
    await bench.cycles(2)
    assert not bench.irq

    cycles = counters["CYCLES"]
    groups = bench.config.array.clusters * bench.config.groups
    assert counters["INSTRUCTIONS"] == len(compiled.program.steps)
    assert counters["BYTES_WRITTEN"] >= len(bench.memory.written) > 0
    assert counters["BYTES_READ"] >= len(compiled.program.steps) * 32 + compiled.input.bytes
    for unit in ("LOAD", "STORE", "ARRAY", "DRAIN", "VECTOR"):
        assert 0 < counters[f"BUSY_{unit}"] < cycles
    assert 0 < counters["ARRAY_BUSY"] <= groups * cycles
    if bench.config.array.gated:
        firing = fired(network, image)
        assert counters["FIRED"] == sum(firing.values()) > 0
        assert await software(lambda: counts(session.driver))() == firing["beside"]

    @software
    def masked():
        """Without an enable the end is in the status register only."""
        driver = session.driver
        driver.write("INTERRUPT_ENABLE", 0)
        driver.write("CONTROL", 1)
        while driver.fields("STATUS")["state"] != State.IDLE:
            assert not bench.irq
        assert driver.read("INTERRUPT_STATUS") == 1
        assert not bench.irq

    await masked()


def fired(network, image) -> dict[str, int]:
    """Outputs of each gated layer whose gate fires for ``image``."""
    channels = reference(network, image[None]).fired
    return {name: int(counts.sum()) for name, counts in channels.items()}


def counts(driver) -> int:
    """Fired outputs of the last gated layer: the sum of the counts of all slots."""
    config, total = driver.config, 0
    for cluster in range(config.array.clusters):
        for group in range(config.groups):
            for slot in range(config.channels_per_group):
                driver.write("COUNT_INDEX", slot | group << 10 | cluster << 16)
                total += driver.read("COUNT")
    return total


@cocotb.test
async def long_instructions_quiet_the_watchdog(dut):
    """A limit far below the cycles of a pass; what works is not taken for a standstill."""
    bench = await Bench.start(dut)
    network = example(gated=bench.config.array.gated)
    compiled = compile_network(network, bench.config)
    image = image_of(network)
    want = expected(network, image)["classifier"]

    @software
    def run():
        driver = bench.driver()
        driver.write("WATCHDOG", 60)
        got = driver.load(compiled, MEMORY_BYTES).run(image, cycles=CYCLES)
        np.testing.assert_array_equal(got.reshape(want.shape), want)

    await run()


@cocotb.test
async def soft_reset_at_any_time(dut):
    """A program is cut off somewhere; the next one runs as if nothing had been."""
    bench = await Bench.start(dut, idle=0.2, backpressure=0.2)
    network = example(gated=bench.config.array.gated)
    compiled = compile_network(network, bench.config)
    image = image_of(network)
    want = expected(network, image)["classifier"]

    @software
    def start():
        session = bench.driver().load(compiled, MEMORY_BYTES)
        bench.transport.write_memory(session.input, compiled.input.pack(image))
        session.driver.start(session.program, len(compiled.program.steps))

    @software
    def recover():
        driver = bench.driver()
        driver.reset()
        session = driver.load(compiled, MEMORY_BYTES)
        np.testing.assert_array_equal(session.run(image, cycles=CYCLES).reshape(want.shape), want)

    for after in (60, 700, 1900):
        await start()
        await bench.cycles(after)
        await recover()
