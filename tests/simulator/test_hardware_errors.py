"""Whatever stops the Verilog reaches the user as a sentence, and a reset brings it back."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hwgen.compiler.network import compile_network
from hwgen.compiler.program import encode
from hwgen.config import load
from hwgen.driver import Driver, HardwareError, Session
from hwgen.errors import UserError
from hwgen.isa.checks import Reason
from hwgen.isa.packing import pack, unpack
from hwgen.isa.registers import ErrorCode
from hwgen.simulator.rtl import MemoryModel, RtlSimulator, library
from sim.networks import example, expected, image_of

CONFIG = load("tiny")
BYTES = 1 << 20
SLVERR = 2


@pytest.fixture(scope="module")
def network():
    return example()


@pytest.fixture(scope="module")
def compiled(network):
    return compile_network(network, CONFIG)


@pytest.fixture
def session(compiled):
    with RtlSimulator(library(CONFIG), memory_bytes=BYTES) as simulator:
        yield Driver(simulator, CONFIG).load(compiled, BYTES)


def overflow(session):
    """Loads that post a token for which nobody waits: more than a counter of 8 bits counts."""
    code = encode(session.compiled.program)
    first = next(c for c in (code[n : n + 32] for n in range(0, len(code), 32)) if c[0] == 2)
    again = pack("LOAD", post=[0], **unpack(first).fields)
    session.driver.write("READ_END", BYTES)
    session.driver.transport.write_memory(BYTES // 2, again * 300)
    return BYTES // 2, 300


def malformed(session):
    session.driver.transport.write_memory(session.program + 32, b"\xee")


def no_end(session):
    end = session.program + 32 * (len(session.compiled.program.steps) - 1)
    code = session.driver.transport.read_memory(session.program, 32)
    session.driver.transport.write_memory(end, code)


def alignment(session):
    session.driver.write("BASE0", session.constants + 1)


def read_bounds(session):
    session.driver.write("READ_END", session.constants)


def write_bounds(session):
    session.driver.write("WRITE_END", session.work)


def read_response(session):
    session.driver.transport.fault(session.constants, session.input, response=SLVERR, write=False)


def write_response(session):
    session.driver.transport.fault(session.work, session.end, response=SLVERR, write=True)


def watchdog(session):
    session.driver.write("WATCHDOG", 500)
    session.driver.transport.configure(MemoryModel(), frozen=True)


CASES = {
    ErrorCode.MALFORMED: (malformed, "fetch", 1),
    ErrorCode.NO_END: (no_end, "fetch", None),
    ErrorCode.ALIGNMENT: (alignment, "load", None),
    ErrorCode.READ_BOUNDS: (read_bounds, "load", None),
    ErrorCode.WRITE_BOUNDS: (write_bounds, "store", None),
    ErrorCode.READ_RESPONSE: (read_response, "load", None),
    ErrorCode.WRITE_RESPONSE: (write_response, "store", None),
    ErrorCode.TOKEN_OVERFLOW: (overflow, "load", None),
    ErrorCode.WATCHDOG: (watchdog, "fetch", None),
}


def test_software_can_cause_all_but_a_fault_of_the_hardware():
    assert set(ErrorCode) - set(CASES) == {ErrorCode.NONE}


@pytest.mark.parametrize("code", CASES, ids=lambda code: code.name.lower())
def test_each_error_is_a_sentence_and_a_reset_brings_the_machine_back(
    code, session, network, compiled
):
    spoil, unit, index = CASES[code]
    image = image_of(network)
    start = spoil(session) or (session.program, len(compiled.program.steps))
    session.driver.start(*start)
    with pytest.raises(HardwareError) as error:
        session.driver.finish(100_000)
    message = str(error.value)
    why = code.doc if code is not ErrorCode.MALFORMED else f"{code.sentence}: {Reason.OPCODE.doc}"
    assert message.endswith(f" ({unit} unit): {why}")
    assert message.startswith("the accelerator stopped in instruction ")
    if index is not None:
        assert f"instruction {index} " in message
    assert "\n" not in message

    transport = session.driver.transport
    transport.fault(0, 0, response=0, write=False)
    transport.configure(MemoryModel())
    session.driver.reset()
    again = session.driver.load(compiled, BYTES)
    result = expected(network, image)
    assert np.array_equal(again.run(image), result[network.outputs[0].name])


def test_a_program_that_takes_longer_than_the_user_waits(session, network):
    with pytest.raises(HardwareError, match="has not finished after 50 cycles"):
        session.run(image_of(network), cycles=50)


def test_a_memory_that_does_not_answer_any_more(session, network):
    session.driver.transport.configure(MemoryModel(), frozen=True)
    with pytest.raises(HardwareError, match="has not finished"):
        session.run(image_of(network), cycles=500)
    with pytest.raises(HardwareError, match="cannot be reset: its memory does not answer"):
        session.driver.reset(attempts=20)


def test_hardware_of_another_configuration():
    with RtlSimulator(library(CONFIG), memory_bytes=BYTES) as simulator:
        with pytest.raises(UserError, match="generated from another configuration than tiny"):
            Driver(simulator, load("tiny", ["control.watchdog_bits=9"]))


def test_a_network_that_needs_more_memory(compiled):
    with RtlSimulator(library(CONFIG), memory_bytes=BYTES) as simulator:
        with pytest.raises(UserError, match=r"network example needs \d+ bytes of memory, 4096 are"):
            Driver(simulator, CONFIG).load(compiled, 4096)


def test_a_network_beyond_the_last_address(compiled):
    """The memory is large enough, the addresses are too short."""
    short = replace(compiled, config=CONFIG.override({"bus.address_width": 16}))
    with pytest.raises(UserError, match=r"needs \d+ bytes .* tiny reaches 4096 \(bus.address_w"):
        Session(SimpleNamespace(config=short.config), short, 1 << 20, (1 << 16) - 4096)


def test_a_program_for_other_units_is_refused(session, network):
    """The registers say what multiplies; a program for something else is not begun."""
    narrow = load("tiny", ["array.mac=serial", "array.modes=8x8,4x4"])
    other = compile_network(network, narrow)
    with pytest.raises(UserError) as refusal:
        session.driver.load(other, BYTES)
    assert str(refusal.value) == (
        f"network {network.name} was compiled for tiny, which has serial units (8x8, 4x4); "
        "the accelerator is tiny and has parallel units (8x8)"
    )
