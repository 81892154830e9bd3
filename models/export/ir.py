"""A traced network before it becomes integers: a flat list of operations on real numbers.

Tracing makes :class:`Op` objects, fusing rewrites them, calibration runs them, emission turns them
into layers of a network file. All axes are those of one image (channels, rows, columns).

Kinds and their attributes:

- ``input``
- ``conv``: weight (O, I/groups, kh, kw), stride, padding (top, bottom, left, right), groups, gain,
  shift; ``exact`` if its weights are 0 and 1 and its result has the scale of its input
- ``linear``: weight (O, I), gain, shift
- ``affine``: gain, shift
- ``clamp``
- ``quantize``: plan (the :class:`EdgePlan` a trained quantizer stands for)
- ``add``: gain, gain_b, shift
- ``avgpool``: kernel, stride, padding, gain, shift (the gain has the division in it)
- ``gap``: gain, shift (the gain has the division in it)
- ``maxpool``: kernel, stride, padding
- ``concat``, ``flatten``, ``output``
- ``split``: start, count
- ``shuffle``: groups
- ``pad``: padding (top, bottom, left, right), before and after (channels)
- ``subsample``: stride
- ``thermometer``: thresholds of bytes, one for each channel of bits that it makes of the pixels

``gain`` and ``shift`` have one number per channel: the result is ``gain * sum + shift``. Then
``lo`` and ``hi`` clamp it (a ReLU is lo = 0); every kind of ``REQUANTIZING`` may have them. A
second input of ``conv`` is a residual, added with ``gain_b``. What a gate adds to a convolution:
:class:`Gate`. Trained weights have ``weight_step`` (of each output channel) and ``weight_bits``; an
edge whose quantizer was trained has ``plan``.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["MOVING", "REQUANTIZING", "EdgePlan", "FloatGraph", "Gate", "Op"]

REQUANTIZING = ("conv", "linear", "affine", "clamp", "add", "avgpool", "gap")
"""Kinds whose result is rounded anew; the others only move integers."""

MOVING = ("maxpool", "shuffle", "split", "subsample", "flatten", "concat", "output")
"""Kinds whose result has the integers of its inputs."""


@dataclass(frozen=True)
class EdgePlan:
    """How an edge becomes integers: ``value = integer * scale``."""

    scale: float
    bits: int
    signed: bool

    @property
    def range(self) -> tuple[int, int]:
        """(lowest, highest) integer."""
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


@dataclass
class Gate:
    """The gate of a convolution, in real numbers.

    An output fires when its base sum (weights times activations, before gain and shift) exceeds
    ``theta``; if not, it is ``gain * base sum + shift`` with the numbers here. ``kind`` is channel,
    precision, or both: the high bits of the base channels.
    """

    kind: str
    theta: np.ndarray
    gain: np.ndarray
    shift: np.ndarray
    count: int = 0
    starts: tuple[int, ...] = (0,)
    high_bits: int = 0

    def base_weight(self, weight: np.ndarray) -> np.ndarray:
        """``weight`` (O, I, kh, kw) with zeros for what the base pass leaves out."""
        if self.kind == "precision":
            return weight
        kept = np.zeros_like(weight)
        run = len(weight) // len(self.starts)
        for index, start in enumerate(self.starts):
            rows, some = slice(index * run, (index + 1) * run), slice(start, start + self.count)
            kept[rows, some] = weight[rows, some]
        return kept


@dataclass
class Op:
    """One operation; ``label`` is how the user knows it (the path of its module), for messages."""

    name: str
    kind: str
    inputs: list[str]
    shape: tuple[int, int, int]
    attrs: dict[str, Any] = field(default_factory=dict)
    label: str = ""

    def __getattr__(self, key: str):
        try:
            return self.__dict__["attrs"][key]
        except KeyError:
            raise AttributeError(f"{self.__dict__.get('kind')} has no {key}") from None

    @property
    def lo(self) -> float:
        return self.attrs.get("lo", -np.inf)

    @property
    def hi(self) -> float:
        return self.attrs.get("hi", np.inf)

    @property
    def clamped(self) -> bool:
        return self.lo > -np.inf or self.hi < np.inf


@dataclass
class FloatGraph:
    """Operations by name, in topological order."""

    ops: dict[str, Op] = field(default_factory=dict)
    rescaled: list[str] = field(default_factory=list)
    """Concatenations one of whose operands lost its trained scale, because all need one."""

    def append(self, op: Op) -> Op:
        """Add ``op`` at the end, under a name that is free."""
        op.label = op.label or op.name
        base, number = op.name, 2
        while op.name in self.ops:
            op.name, number = f"{base}_{number}", number + 1
        self.ops[op.name] = op
        return op

    def consumers(self, name: str) -> list[Op]:
        """The operations that read ``name``; one that reads it twice is there twice."""
        return [op for op in self.ops.values() for source in op.inputs if source == name]

    def bypass(self, name: str) -> None:
        """Remove a one-input operation; its readers read its input."""
        (source,) = self.ops.pop(name).inputs
        for op in self.ops.values():
            op.inputs = [source if other == name else other for other in op.inputs]

    def insert_after(self, name: str, op: Op) -> Op:
        """Put ``op`` behind ``name`` in the order (it does not change who reads what)."""
        rest = list(self.ops)
        rest = rest[rest.index(name) + 1 :]
        later = {key: self.ops.pop(key) for key in rest}
        while op.name in self.ops or op.name in later:
            op.name += "_"
        op.label = op.label or op.name
        self.ops[op.name] = op
        self.ops.update(later)
        return op

    def plan_of(self, name: str) -> EdgePlan | None:
        """The trained quantizer that holds for the result of ``name``, looking past what only moves
        numbers.
        """
        op = self.ops[name]
        if "plan" in op.attrs or op.kind not in MOVING:
            return op.attrs.get("plan")
        plans = {self.plan_of(source) for source in op.inputs}
        return plans.pop() if len(plans) == 1 else None

    def prune(self) -> None:
        """Remove what no output needs."""
        needed = {op.name for op in self.ops.values() if op.kind in ("output", "input")}
        for op in reversed(list(self.ops.values())):
            if op.name in needed:
                needed.update(op.inputs)
        self.ops = {name: op for name, op in self.ops.items() if name in needed}

    @property
    def input(self) -> Op:
        return next(op for op in self.ops.values() if op.kind == "input")

    @property
    def outputs(self) -> list[Op]:
        return [op for op in self.ops.values() if op.kind == "output"]
