"""How much faster the cycle model is than the Verilog: ``python -m hwgen.bench.cycle_speed``.

Processor time of one core for a dense and a gated layer on ``cgnet8``, programs and decisions at
hand; both must count the same cycles.
"""

import time

import numpy as np

from ..compiler.program import encode
from ..config import Config, load
from ..cycles import Model
from ..driver import ALIGNMENT, Driver
from ..simulator.machine import Machine
from ..simulator.rtl import MemoryModel, RtlSimulator, library
from .workloads import Workload, dense_layer, masked_layer

__all__ = ["main"]


def _memory(config: Config, workload: Workload) -> tuple[bytearray, list[int]]:
    """Everything in memory, and the base registers."""
    memory, bases = bytearray(encode(workload.program, config)), []
    for data in (workload.program.constants, workload.inputs, bytes(workload.output_bytes)):
        memory += bytes(-len(memory) % ALIGNMENT)
        bases.append(len(memory))
        memory += data
    return memory + bytes(-len(memory) % ALIGNMENT), bases


def _rtl(config: Config, workload: Workload, memory: bytearray, bases: list[int]):
    """Cycles, and processor time from start to end."""
    with RtlSimulator(library(config), memory_bytes=len(memory), model=MemoryModel()) as simulator:
        simulator.write_memory(0, bytes(memory))
        driver = Driver(simulator, config)
        for base, address in enumerate(bases):
            driver.write(f"BASE{base}", address)
        driver.write("READ_END", len(memory))
        driver.write("WRITE_END", len(memory))
        driver.start(0, len(workload.program.steps))
        started = time.process_time()
        driver.finish(1 << 32)
        return driver.read("CYCLES"), time.process_time() - started


def main() -> None:
    """Print a line for each layer."""
    config = load("cgnet8")
    masks = np.random.default_rng(0).random((8, 64, 14, 14)) < 0.2
    workloads = {
        "dense 64 x 3x3 on 28x28, 4 images": dense_layer(
            config, channels=(64, 64), size=28, kernel=3, images=4
        ),
        "gated 64 x 3x3 on 14x14, 8 images, density 0.2": masked_layer(config, masks),
    }
    for name, workload in workloads.items():
        memory, bases = _memory(config, workload)
        machine = Machine(config, bytearray(memory), bases)
        machine.run(workload.program)
        cycles, rtl = _rtl(config, workload, memory, bases)
        model = Model(config)
        started = time.process_time()
        prediction = model.run(workload.program, machine.fired, bases=bases)
        seconds = time.process_time() - started
        if prediction.cycles != cycles:
            raise AssertionError(f"{name}: {cycles} cycles, and the model says {prediction.cycles}")
        print(
            f"{name}: {cycles:,} cycles; RTL {cycles / rtl:,.0f} a second, "
            f"model {cycles / seconds:,.0f}, {rtl / seconds:.0f} times as many"
        )


if __name__ == "__main__":
    main()
