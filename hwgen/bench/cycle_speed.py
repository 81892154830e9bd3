"""How fast the cycle model is: ``python -m hwgen.bench.cycle_speed [--networks]``.

Processor time of one core for a dense and a gated layer on ``cgnet8``, programs and decisions at
hand, beside the Verilog; both must count the same cycles. With ``--networks`` those of the
benchmark, by the model alone.
"""

import sys
import time

import numpy as np

from ..compiler.decisions import decisions
from ..compiler.program import encode
from ..config import Config, load
from ..cycles import Model
from ..driver import ALIGNMENT, Driver
from ..simulator.machine import Machine
from ..simulator.rtl import MemoryModel, RtlSimulator, library
from .suite import subjects
from .whole import Case
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


def _networks() -> None:
    """A line for each network, gated and dense: the first prediction and one more on its model."""
    for make in subjects(("trained",), (1, 16)) + subjects(("cifar", "imagenet"), (1,)):
        subject = make()
        for name in ("cgnet8", "baseline8"):
            started = time.process_time()
            case = Case.of(subject.network, load(name), subject.masks, subject.batch)
            program, fired = case.compiled.program, None
            compiled = time.process_time()
            if case.masks is not None:
                fired = list(decisions(case.compiled.config, program, case.masks))
            model, seconds = Model(case.compiled.config), []
            for _ in range(2):
                begun = time.process_time()
                cycles = model.run(program, fired).cycles
                seconds.append(time.process_time() - begun)
            speeds = " and ".join(f"{cycles / s / 1e6:.1f}" for s in seconds)
            print(
                f"{subject.name}, batch {subject.batch}, {name}: {cycles:,} cycles; compiled in "
                f"{compiled - started:.2f} s, predicted in {seconds[0]:.3f} s; {speeds} million "
                f"cycles a second, replayed {model.replayed / cycles:.0%}",
                flush=True,
            )


def main() -> None:
    """Print a line for each layer; with ``--networks``, of whole networks by the model alone."""
    if sys.argv[1:] == ["--networks"]:
        return _networks()
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
