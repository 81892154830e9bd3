"""What the model says of a program."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..compiler.program import Program, Step
from ..config import Config
from ..errors import UserError
from ..rtl.mac import facts
from ..simulator.rtl import MemoryModel
from .core import Core
from .modes import ModeCounts, counts_by_mode

__all__ = ["Model", "Prediction", "Span", "predict"]

DEFAULT_MEMORY = MemoryModel()


@dataclass(frozen=True)
class Span:
    """When an instruction ran, in cycles since the program's start.

    ``ready``: it had its tokens; ``start``: its unit took it; ``end``: all it does was visible, and
    its tokens were posted.
    """

    step: Step
    ready: int
    start: int
    end: int


@dataclass(frozen=True)
class Prediction:
    """What a program does in time.

    Members
    -------
    cycles : int
        From the start of the program to its end; the hardware's counter CYCLES.
    counters : dict
        All performance counters of the hardware, by their names in ``hwgen.isa.registers``.
    operations : dict
        What else was done, for models of energy: ``rows`` issued in all groups and the
        ``dot_products`` of R lanes in them; ``vectors`` sent into the chains and
        ``vector_pushes`` of groups that took one; ``weight_words_sent`` by the feeder (to all
        groups of all clusters) and ``weight_words_written`` to the weight buffer;
        ``activation_reads`` and ``activation_writes`` of words; ``records_written``;
        ``sums_drained``.
    macs : int
        Multiplications: those of each dot product, so many as its mode has operands.
    modes : dict
        What of it was in which mode of the MAC units, by the mode's number.
    spans : list of Span
        One for each instruction, in program order.
    """

    cycles: int
    counters: dict[str, int]
    operations: dict[str, int]
    macs: int
    modes: dict[int, ModeCounts]
    spans: list[Span]

    def layers(self) -> dict[str, tuple[int, int]]:
        """For each layer, in the order of the program, the cycles in which its first instruction
        started and its last one ended. Layers overlap: the next one loads while one computes.
        """
        found: dict[str, tuple[int, int]] = {}
        for span in self.spans:
            if span.step.name == "END":
                continue
            layer = span.step.note.split(":")[0]
            first, last = found.get(layer, (span.start, span.end))
            found[layer] = (min(first, span.start), max(last, span.end))
        return found


def _decisions(config: Config, program: Program, decisions) -> list[tuple[np.ndarray, int, int]]:
    """For each gated PASS its decisions, slots and diagonal."""
    gates = [step for step in program.steps if step.name == "PASS" and step.fields["gate"]]
    if decisions is None:
        decisions = [
            np.ones((config.array.engines * g.fields["slots"], g.fields["positions"]), bool)
            for g in gates
        ]
    decisions = list(decisions)
    if len(decisions) != len(gates):
        raise UserError(f"the program has {len(gates)} gates; decisions of {len(decisions)} given")
    for gate, fired in zip(gates, decisions, strict=True):
        shape = (config.array.engines * gate.fields["slots"], gate.fields["positions"])
        if fired.shape != shape:
            raise UserError(f"{gate.note}: decisions must be {shape}, not {fired.shape}")
    return [
        (fired, gate.fields["slots"], gate.fields["diagonal"])
        for gate, fired in zip(gates, decisions, strict=True)
    ]


def _passes(program: Program, trimmed: Sequence[np.ndarray]) -> list[Step]:
    """The passes of a program, which must be those that ``trimmed`` is of."""
    passes = [step for step in program.steps if step.name == "PASS"]
    shapes = [(step.fields["chunks"], step.fields["positions"]) for step in passes]
    if shapes != [modes.shape for modes in trimmed]:
        raise UserError("the modes of vectors are of another program")
    return passes


class Model:
    """An accelerator and its memory, in time only; runs one program after the other.

    What the hardware remembers from program to program, whose turn it is at its arbiters, is
    remembered here too: the second run of a program may take other cycles than the first.

    Parameters
    ----------
    memory
        How the memory answers. It must not stall at random, and is idle before each start.
    skips
        Leave out cycles in which nothing happens, and replay what the array did before. The result
        is the same without, and slower.

    Attributes
    ----------
    replayed : int
        Cycles of the last program in which the array did what it had done before, and was not
        simulated.
    """

    def __init__(self, config: Config, memory: MemoryModel = DEFAULT_MEMORY, *, skips: bool = True):
        if memory.stall:
            raise UserError(
                "memory stall: must be 0 for a prediction, which knows no random stalls"
            )
        self.config = config
        self._memory, self._skips = memory, skips
        self.reset()

    def reset(self) -> None:
        """Forget what was run, as the hardware does at power-on."""
        self._core = Core(self.config, self._memory, skips=self._skips)
        self.replayed = 0

    def run(
        self,
        program: Program,
        decisions: Iterable[np.ndarray] | None = None,
        *,
        trimmed: Sequence[np.ndarray] = (),
        bases: Sequence[int] = (),
        address: int = 0,
        limit: int = 1 << 40,
        progress: Callable[[int], None] = lambda cycles: None,
    ) -> Prediction:
        """What ``program`` does in time.

        Parameters
        ----------
        decisions
            For each gated PASS, in program order, which outputs fire: a boolean array (slot of the
            block, position), as `hwgen.simulator.machine.Machine` leaves them in ``fired``. Without
            them every output fires.
        trimmed
            With ``array.trim_planes``, for each PASS the modes of its vectors (chunk, position), as
            the machine leaves them in ``trimmed``. Without them no vector is trimmed.
        bases, address
            Base registers and the program's address; they matter modulo 4096 only, and are best
            left alone if all are multiples of that.
        limit
            Give up after so many cycles.
        progress
            Told now and then how many cycles have passed.

        Raises
        ------
        UserError
            If the decisions do not fit the program, or it does not end; the model is reset then.
        """
        core = self._core
        gates = _decisions(self.config, program, decisions)
        core.begin(program, bases, address)
        for gate in gates:
            core.gate(*gate)
        if trimmed:
            for step, modes in zip(_passes(program, trimmed), trimmed, strict=True):
                core.trim(modes, step.fields["diagonal"])
        if not core.run(limit, progress):
            self.reset()
            raise UserError(f"the program has not ended after {limit} cycles")
        counters, operations = core.counters()
        self.replayed = core.replayed()
        times = core.times().tolist()
        modes = counts_by_mode(self.config, program, [fired for fired, _, _ in gates], trimmed)
        unit = facts(self.config)
        return Prediction(
            cycles=counters["CYCLES"],
            counters=counters,
            operations=operations,
            macs=sum(unit.lanes_in(unit.modes[n]) * m.dot_products for n, m in modes.items()),
            modes=modes,
            spans=[Span(step, *row) for step, row in zip(program.steps, times, strict=True)],
        )


def predict(
    config: Config,
    program: Program,
    decisions: Iterable[np.ndarray] | None = None,
    memory: MemoryModel = DEFAULT_MEMORY,
    **options,
) -> Prediction:
    """What ``program`` does in time on an accelerator of ``config`` after a reset, exactly; see
    :meth:`Model.run`.
    """
    return Model(config, memory).run(program, decisions, **options)
