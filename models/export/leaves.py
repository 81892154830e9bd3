"""Modules that tracing must not look into: they know what they are in integers.

A gated convolution or a quantizer computes with straight-through gradients and surrogate functions
that have no counterpart in a network file. Such a module is replaced, in the copy that is traced,
by a :class:`_Marker`; what it means comes from a :class:`Leaf` that its author provides.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch._subclasses.fake_tensor import unset_fake_temporarily

from hwgen.errors import UserError

__all__ = ["Describe", "Leaf", "marked"]


@dataclass
class Leaf:
    """One operation of the traced graph (:mod:`models.export.ir`): kind and attributes."""

    kind: str
    attrs: dict[str, Any] = field(default_factory=dict)


Describe = Callable[[torch.nn.Module], "Leaf | list[Leaf] | None"]
"""Says what a module is, as one operation or several in a row; None to trace it as it is."""

_modules: list[torch.nn.Module] = []


@torch.library.custom_op("hwgen::leaf", mutates_args=())
def _leaf(x: torch.Tensor, index: int) -> torch.Tensor:
    """Stands for module number ``index`` of the trace under way."""
    return _modules[index](x).clone()


@_leaf.register_fake
def _(x, index):
    # Only the shape is wanted; the module itself knows nothing of fake tensors.
    shape = [int(size) for size in x.shape]
    with unset_fake_temporarily(), torch.no_grad():
        result = _modules[index](torch.zeros(shape))
    return x.new_empty(result.shape)


class _Marker(torch.nn.Module):
    def __init__(self, index: int):
        super().__init__()
        self.index = index

    def forward(self, x):
        return torch.ops.hwgen.leaf(x, self.index)


@contextmanager
def marked(model: torch.nn.Module, describe: Describe) -> Iterator[list[list[Leaf]]]:
    """Replace, in ``model`` and while the context lasts, every module that ``describe`` knows.

    Gives the description of each, by the number that is the second argument of
    ``torch.ops.hwgen.leaf``.
    """
    leaves, places = [], []
    _modules.clear()
    _collect(model, describe, leaves, places)
    for index, (parent, name, _) in enumerate(places):
        setattr(parent, name, _Marker(index))
    try:
        yield leaves
    finally:
        for parent, name, module in places:
            setattr(parent, name, module)
        _modules.clear()


def _collect(parent, describe: Describe, leaves, places, path: str = "") -> None:
    for name, module in parent.named_children():
        try:
            found = describe(module)
        except UserError as error:
            raise UserError(f"layer {path + name!r}: {error}") from None
        if found is None:
            _collect(module, describe, leaves, places, f"{path}{name}.")
            continue
        leaves.append(found if isinstance(found, list) else [found])
        places.append((parent, name, module))
        _modules.append(module)
