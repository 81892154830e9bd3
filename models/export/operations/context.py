"""What the functions of this package share: the graph under construction, and their registry."""

import numpy as np
import torch

from ..addressing import Value, materialize
from ..ir import FloatGraph, Op
from ..leaves import Leaf

__all__ = ["BATCH", "OPERATIONS", "Context", "Refused", "operation", "pair"]

# Two images, so that an axis of batch is never mistaken for an axis of size one.
BATCH = 2

OPERATIONS: dict = {}
"""Functions ``(context, label, node, *arguments)`` by the name of the operation."""


class Refused(ValueError):
    """An operation that has no integers; the tracer adds where."""


def operation(*names: str):
    """Register a function for the operations ``names``, in place (with ``_``) or not."""

    def register(function):
        OPERATIONS.update(dict.fromkeys(names, function))
        return function

    return register


class Context:
    """The graph that is traced into, and the descriptions of its leaves."""

    def __init__(self, leaves: list[list[Leaf]]):
        self.graph, self.leaves = FloatGraph(), leaves

    def source(self, value, label: str) -> str:
        """The operation that makes ``value`` as (channels, rows, columns), after adding what moves
        it there.
        """
        if not isinstance(value, Value):
            raise Refused("computes on a constant where an activation is expected")
        return materialize(self.graph, value, label)

    def append(self, label, kind, inputs, shape, axes=4, **attrs) -> Value:
        op = self.graph.append(Op(label, kind, inputs, tuple(shape), attrs, label))
        return Value.whole(op.name, op.shape, BATCH, axes)

    def channels(self, value, constant) -> np.ndarray:
        """A number, or a tensor with one number for each channel, as an array of the channels of
        ``value``.
        """
        if isinstance(constant, torch.Tensor):
            constant = constant.double()
        else:
            constant = torch.tensor(float(constant), dtype=torch.float64)
        try:
            whole = constant.expand(value.shape)
        except RuntimeError:
            raise Refused(
                f"a constant of shape {list(constant.shape)} widens its operand"
            ) from None
        each = whole[0].reshape(value.shape[1], -1)
        if not (whole == whole[:1]).all() or not (each == each[:, :1]).all():
            raise Refused("a constant that differs between positions")
        return each[:, 0].numpy().copy()

    def affine(self, label, value, gain, shift) -> Value:
        source = self.source(value, label)
        shape = self.graph.ops[source].shape
        return self.append(
            label, "affine", [source], shape, len(value.shape), gain=gain, shift=shift
        )

    def clamp(self, label, value, lo, hi) -> Value:
        source = self.source(value, label)
        shape = self.graph.ops[source].shape
        return self.append(
            label, "clamp", [source], shape, len(value.shape), lo=float(lo), hi=float(hi)
        )


def pair(value) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])
