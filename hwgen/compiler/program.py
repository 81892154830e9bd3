"""Programs, and the builder that finds out which instruction must wait for which.

The units of the accelerator run their instructions in order, each at its own pace; only tokens
order one unit's work after another's. Nobody sets tokens by hand here: an instruction declares
which resources it reads and writes (words of the buffers, accumulator banks, bytes of memory), the
builder finds the conflicts with earlier instructions of other units, and `finish` gives each
ordered pair of units a counter. Since both ends run in order, the posts and waits of a pair match
first to first.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ..config import Config
from ..errors import UserError
from ..isa.instructions import TOKENS, by_name
from ..isa.packing import pack

__all__ = [
    "Access",
    "Builder",
    "Decided",
    "Program",
    "Step",
    "encode",
    "in_planes",
    "reads",
    "writes",
]

PASSES = 1 << 18
"""Of a program: beyond, compiling takes many minutes, and running many hours."""

CLOSE = 16
"""Planes with fewer words between them are one range."""

PART = 16
"""Rows of a tensor in memory among which conflicts are looked for together."""


@dataclass(frozen=True)
class Access:
    """Words low to high-1 of a resource, read or written.

    A resource may be a plane of two directions: then ``first`` to ``last``-1 is the other one.
    """

    resource: str
    low: int
    high: int
    write: bool
    first: int = 0
    last: int = 1

    def overlaps(self, other: "Access") -> bool:
        """Whether they have something in common."""
        return (
            self.low < other.high
            and other.low < self.high
            and self.first < other.last
            and other.first < self.last
        )

    def parts(self) -> Iterator[tuple[int, "Access"]]:
        """Cut in the other direction at multiples of PART, with the numbers of the parts: conflicts
        are looked for in each part on its own.
        """
        parts = range(self.first // PART, -(-self.last // PART))
        if len(parts) == 1:
            yield parts.start, self
            return
        for part in parts:
            first, last = max(self.first, part * PART), min(self.last, (part + 1) * PART)
            yield part, replace(self, first=first, last=last)

    def outside(self, other: "Access") -> list["Access"]:
        """What is left of this access without the words of one that it overlaps."""
        if not (other.first <= self.first and self.last <= other.last):
            return [self]
        left = []
        if self.low < other.low:
            left.append(replace(self, high=other.low))
        if other.high < self.high:
            left.append(replace(self, low=other.high))
        return left


def reads(resource: str, low: int = 0, high: int | None = None) -> Access:
    """A read of words low to high-1 (one word if ``high`` is not given)."""
    return Access(resource, low, low + 1 if high is None else high, False)


def writes(resource: str, low: int = 0, high: int | None = None) -> Access:
    """A write of words low to high-1 (one word if ``high`` is not given)."""
    return Access(resource, low, low + 1 if high is None else high, True)


def in_planes(
    kind: Callable[[str, int, int], Access], first: int, planes: int, pitch: int, words: int
) -> list[Access]:
    """Accesses of a ``kind`` to ``words`` words of each of ``planes`` planes of the activation
    buffer, which begin ``pitch`` words apart: one, if nothing worth mentioning lies between them.
    """
    if pitch < words + CLOSE:
        return [kind("activations", first, first + (planes - 1) * pitch + words)]
    starts = (first + plane * pitch for plane in range(planes))
    return [kind("activations", start, start + words) for start in starts]


@dataclass(frozen=True)
class Decided:
    """What a gated PASS decides on: ``channels`` of a layer, in the order of their slots, at the
    positions ``images`` x ``rows`` x ``columns``, in that order.
    """

    layer: str
    channels: np.ndarray
    images: range
    rows: range
    columns: range


@dataclass
class Step:
    """One instruction of a program; `wait` and `post` are sets of token counters. A PASS that gates
    has ``decided``.
    """

    name: str
    fields: dict[str, int]
    note: str
    after: dict[str, int] = field(
        default_factory=dict
    )  # unit -> number of its instruction, in that unit
    wait: set[int] = field(default_factory=set)
    post: set[int] = field(default_factory=set)
    decided: Decided | None = None

    @property
    def unit(self) -> str:
        """The unit that runs it."""
        return by_name(self.name).unit


@dataclass
class Program:
    """Steps in fetch order, and the constants they load, from offset 0 of base register 0."""

    steps: list[Step]
    constants: bytes


def encode(program: Program, config: Config | None = None) -> bytes:
    """The instructions as they lie in memory; with ``config``, refused if it would refuse one, or,
    without queues, if a token counter could overflow.
    """
    counts = config is not None and not config.control.sequential
    if counts and not config.control.queue_depth:
        _check_tokens(program, config)
    return b"".join(_packed(step, config) for step in program.steps)


def _check_tokens(program: Program, config: Config) -> None:
    """Where instructions start in program order, a counter holds at most what those so far post,
    less what they have waited for.
    """
    most = (1 << config.control.token_bits) - 1
    counts = Counter()
    for step in program.steps:
        counts.subtract(step.wait)
        counts.update(step.post)
        if any(counts[token] > most for token in step.post):
            layer = step.note.partition(":")[0]
            raise UserError(
                f"layer {layer}: a token counter would have to count to {max(counts.values())}, "
                f"configuration {config.name} has control.token_bits = {config.control.token_bits}"
            )


def _packed(step: Step, config: Config | None) -> bytes:
    try:
        return pack(step.name, wait=step.wait, post=step.post, config=config, **step.fields)
    except UserError as error:
        layer = step.note.partition(":")[0]
        raise UserError(f"layer {layer}: no instruction can tell that: {error}") from None


class Builder:
    """Collects steps and their conflicts; see the module's text.

    Members
    -------
    steps : list of Step
        So far, in program order.
    """

    def __init__(self):
        self.steps: list[Step] = []
        self._units = defaultdict(list)  # unit -> its steps
        # (resource, number of the part) -> [(access, unit, number in the unit)]
        self._live = defaultdict(list)
        self._constants = bytearray()
        self._passes = 0
        self._known: dict[tuple[bytes, int], int] = {}

    def expect(self, layer: str, passes: int) -> None:
        """Refuse a program of more than PASSES passes before it is made."""
        self._passes += passes
        if self._passes > PASSES:
            raise UserError(
                f"layer {layer}: with it the program has {self._passes:,} passes, more than "
                f"{PASSES:,}; raise array.rows, array.engines or memory.weight_words, or take "
                "smaller images"
            )

    def constant(self, data: bytes, align: int) -> int:
        """Offset of ``data`` among the constants; equal data are there once."""
        if (data, align) not in self._known:
            self._constants += bytes(-len(self._constants) % align)
            self._known[data, align] = len(self._constants)
            self._constants += data
        return self._known[data, align]

    def add(self, name: str, accesses: list[Access], note: str = "", **fields: int) -> Step:
        """Append an instruction that touches ``accesses``."""
        step = Step(name, fields, note)
        unit = step.unit
        number = len(self._units[unit])
        for whole in accesses:
            for part, access in whole.parts():
                self._touch(step, unit, number, access, self._live[access.resource, part])
        self.steps.append(step)
        self._units[unit].append(step)
        return step

    def _touch(self, step: Step, unit: str, number: int, access: Access, live: list) -> None:
        """Let ``step`` wait for whoever of ``live`` its access conflicts with, and join them."""
        kept = []
        for entry in live:
            other, other_unit, other_number = entry
            if not access.overlaps(other):
                kept.append(entry)
                continue
            if other_unit != unit and (access.write or other.write):
                step.after[other_unit] = max(step.after.get(other_unit, -1), other_number)
            # What this access covers can be forgotten: whoever must wait for the old one will wait
            # for this one.
            if access.write or (not other.write and other_unit == unit):
                kept += [(part, other_unit, other_number) for part in other.outside(access)]
            else:
                kept.append(entry)
        live[:] = kept
        live.append((access, unit, number))

    def finish(self) -> Program:
        """Turn conflicts into tokens, end the program."""
        counters: dict[tuple[str, str], int] = {}
        waited = defaultdict(lambda: -1)  # (from, to) -> newest instruction already waited for
        self.add("END", [], "end of the program")
        for step in self.steps:
            for unit, number in step.after.items():
                pair = (unit, step.unit)
                if number <= waited[pair]:
                    continue
                waited[pair] = number
                counter = counters.setdefault(pair, len(counters))
                if counter >= TOKENS:
                    raise UserError(f"the program needs more than {TOKENS} token counters")
                self._units[unit][number].post.add(counter)
                step.wait.add(counter)
        return Program(self.steps, bytes(self._constants))
