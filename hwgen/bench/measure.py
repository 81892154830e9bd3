"""A workload on the RTL, compared with the integers of the program."""

import numpy as np

from ..compiler.program import encode
from ..config import Config
from ..driver import Driver
from ..errors import UserError
from ..simulator.machine import Machine
from ..simulator.rtl import MemoryModel, RtlSimulator, library
from .workloads import Workload

__all__ = ["measure"]

PAGE = 4096


def _pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


def measure(config: Config, workload: Workload, model: MemoryModel | None = None) -> dict[str, int]:
    """Performance counters of a run that leaves the memory as the program in integers does."""
    code = encode(workload.program, config)
    constants = _pages(len(code))
    inputs = constants + _pages(len(workload.program.constants))
    outputs = inputs + _pages(len(workload.inputs))
    size = outputs + _pages(workload.output_bytes)
    if size > 1 << config.bus.address_width:
        raise UserError(
            f"{config.name}: the workload takes {size} bytes of memory, bus.address_width = "
            f"{config.bus.address_width} addresses {1 << config.bus.address_width}"
        )
    memory = bytearray(size)
    memory[: len(code)] = code
    memory[constants : constants + len(workload.program.constants)] = workload.program.constants
    memory[inputs : inputs + len(workload.inputs)] = workload.inputs
    with RtlSimulator(
        library(config), memory_bytes=size, model=model or MemoryModel()
    ) as simulator:
        simulator.write_memory(0, bytes(memory))
        driver = Driver(simulator, config)
        for base, address in enumerate((constants, inputs, outputs)):
            driver.write(f"BASE{base}", address)
        driver.write("READ_END", size)
        driver.write("WRITE_START", outputs)
        driver.write("WRITE_END", size)
        driver.start(0, len(workload.program.steps))
        driver.finish(1 << 32)
        got = simulator.read_memory(outputs, workload.output_bytes)
        counters = driver.counters()
    Machine(config, memory, [constants, inputs, outputs]).run(workload.program)
    expected = bytes(memory[outputs : outputs + workload.output_bytes])
    if not np.array_equal(np.frombuffer(got, np.uint8), np.frombuffer(expected, np.uint8)):
        raise AssertionError("the RTL computes something else than the program says")
    return counters
