"""A compiled network against the integer reference, in integers and on the Verilog."""

from dataclasses import replace

import numpy as np

from hwgen.compiler.compiled import Compiled
from hwgen.compiler.decisions import decisions
from hwgen.cycles import Model
from hwgen.driver import ALIGNMENT, Driver, Session
from hwgen.simulator.compare import Comparison, vector_modes
from hwgen.simulator.machine import Machine
from hwgen.simulator.rtl import MemoryModel, RtlSimulator, library
from models.reference import Result
from models.reference import run as reference

__all__ = ["Difference", "prove"]

REST = 60  # register reads before a start: the memory has all its credit again
MARGIN = 8 * ALIGNMENT  # the pieces of a session each begin at a multiple

PATIENCE = 20
"""Times the cycles without stalls: what takes longer hangs."""


class Difference(Exception):
    """What is not equal."""


class _Proof:
    """A program and images for some runs of it; ``seed`` decides on all that is random."""

    def __init__(self, compiled: Compiled, images: np.ndarray, seed: int):
        self.compiled, self.images, self.seed = compiled, images, seed
        self.batch = compiled.batch
        self.expected: Result = reference(compiled.network, images, taps=True, masks=True)
        self.rng = np.random.default_rng(seed)

    def groups(self):
        """Number of the first image of each run, and the run's images as the driver takes them."""
        for first in range(0, len(self.images), self.batch):
            group = self.images[first : first + self.batch]
            yield first, group if self.batch > 1 else group[0]

    def fired(self, first: int) -> list[np.ndarray]:
        """The decisions of a run."""
        masks = {n: m[first : first + self.batch] for n, m in self.expected.masks.items()}
        return decisions(self.compiled.config, self.compiled.program, masks)

    def checked(self, where: str, comparison: Comparison) -> int:
        """How many edges have been compared."""
        if comparison.wrong:
            raise Difference(f"{where}: {comparison.wrong[0]}, {len(comparison.wrong)} in all")
        if not comparison.edges:
            raise Difference(f"{where}: no edge was compared")
        return comparison.edges

    def integers(self) -> None:
        """The first run in integers, the units in random order: every token is there."""
        compiled, program = self.compiled, self.compiled.program
        constants = program.constants
        bases = [0, len(constants), len(constants) + compiled.input.bytes]
        first, group = next(self.groups())
        # The work area holds what something else has left.
        left = self.rng.bytes(compiled.work_bytes)
        memory = bytearray(constants + compiled.input.pack(group) + left)
        machine = Machine(compiled.config, memory, bases, seed=self.seed)
        machine.run(program)
        comparison = Comparison(self.expected.taps, self.batch)
        inspect = comparison.checker(first)
        for name, view in compiled.views.items():
            start = bases[view.tensor.base] + view.tensor.offset
            inspect(name, view.unpack(bytes(memory[start : start + view.tensor.bytes])))
        self.checked("in integers", comparison)
        for number, (found, want) in enumerate(zip(machine.fired, self.fired(first), strict=True)):
            if not np.array_equal(found, want):
                raise Difference(f"in integers: decisions of gate {number}")

    def session(self, simulator: RtlSimulator) -> Session:
        """The program in the memory of a simulator, which holds what something else has left."""
        size = len(simulator.memory)
        simulator.write_memory(0, self.rng.bytes(size))
        return Driver(simulator, self.compiled.config).load(self.compiled, size)

    def verilog(self, memory: MemoryModel) -> dict[str, int]:
        """All runs on the Verilog, one after the other without a reset: edges, and counters unless
        the memory stalls at random.
        """
        compiled = self.compiled
        size = 32 * len(compiled.program.steps) + len(compiled.program.constants)
        size += compiled.input.bytes + compiled.work_bytes + MARGIN
        model = Model(compiled.config, replace(memory, stall=0.0))
        comparison = Comparison(self.expected.taps, self.batch)
        cycles = 0
        with RtlSimulator(
            library(compiled.config), memory_bytes=size, model=memory, seed=self.seed + 1
        ) as simulator:
            session = self.session(simulator)
            for first, group in self.groups():
                modes = vector_modes(compiled, group)
                predicted = model.run(compiled.program, self.fired(first), trimmed=modes).counters
                for _ in range(REST):
                    session.driver.read("ID")
                limit = PATIENCE * predicted["CYCLES"]
                session.run(group, cycles=limit, inspect=comparison.checker(first))
                counters = session.driver.counters()
                cycles += counters["CYCLES"]
                for name, value in counters.items():
                    if not memory.stall and value != predicted[name]:
                        raise Difference(
                            f"run {first // self.batch}, {memory}: {name} is {value} on the "
                            f"Verilog, {predicted[name]} in the model"
                        )
        return {"edges": self.checked(f"on the Verilog, {memory}", comparison), "cycles": cycles}


def prove(
    compiled: Compiled,
    images: np.ndarray,
    memories: list[MemoryModel],
    *,
    seed: int = 0,
    integers: bool = True,
) -> dict[str, int]:
    """Run ``images``, as many as some runs take, once on each of ``memories``; tells how many edges
    were compared on the Verilog and in how many cycles.

    Raises
    ------
    Difference
        If an edge is not that of the reference, or, on a memory that does not stall at random, a
        performance counter not that of the cycle model.
    """
    proof = _Proof(compiled, images, seed)
    if integers:
        proof.integers()
    total = {"edges": 0, "cycles": 0}
    for memory in memories:
        found = proof.verilog(memory)
        total = {key: total[key] + found[key] for key in total}
    return total
