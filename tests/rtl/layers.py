"""Running layers on a simulated accelerator, alone in its memory."""

import numpy as np

from hwgen.compiler.convolution import lower_convolution
from hwgen.compiler.memory import Buffers
from hwgen.compiler.pipeline import schedule
from hwgen.compiler.program import Builder, Program
from hwgen.config import Config
from hwgen.driver import ALIGNMENT, Driver, encode
from hwgen.simulator.rtl import RtlSimulator

__all__ = ["compile_layer", "run_layer"]

GUARD = 0xA5  # what lies around the output, and must still lie there afterwards


def compile_layer(config: Config, layer) -> Program:
    """The program of one convolution."""
    builder, buffers = Builder(), Buffers(config)
    schedule(config, buffers, lower_convolution(config, builder, buffers, layer))
    return builder.finish()


def _after(address: int, size: int) -> int:
    """First aligned address behind ``size`` bytes and a gap."""
    return -(-(address + size + 1) // ALIGNMENT) * ALIGNMENT


def run_layer(simulator: RtlSimulator, config: Config, case, *, cycles: int = 4_000_000):
    """The output tensor of a :class:`tests.compiler.layers.Case`, whole, as the RTL has written it.

    Raises
    ------
    HardwareError
        If the accelerator stops.
    AssertionError
        If it has changed memory outside of the output.
    """
    program = compile_layer(config, case.layer)
    driver = Driver(simulator, config)
    code = encode(program)
    constants = _after(0, len(code))
    tensors = _after(constants, len(program.constants))
    output = _after(tensors, len(case.memory))
    size = case.layer.output.bytes
    end = _after(output, size)
    before = bytearray([GUARD]) * end
    for address, data in ((0, code), (constants, program.constants), (tensors, case.memory)):
        before[address : address + len(data)] = data
    simulator.write_memory(0, bytes(before))
    for base, address in enumerate((constants, tensors, output)):
        driver.write(f"BASE{base}", address)
    driver.write("READ_START", 0)
    driver.write("READ_END", end)
    driver.write("WRITE_START", output)
    driver.write("WRITE_END", output + size)
    driver.start(0, len(program.steps))
    driver.finish(cycles)
    after = simulator.read_memory(0, end)
    assert after[:output] == before[:output], "the accelerator wrote in front of its output"
    assert after[output + size :] == before[output + size :], "it wrote behind its output"
    return case.layer.output.unpack(after[output : output + size]).astype(np.int64)
