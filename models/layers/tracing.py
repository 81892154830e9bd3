"""Which module feeds which, found by running a network symbolically."""

from torch import fx, nn

from models.layers.quantized import Stored
from models.layers.shuffle import ChannelShuffle
from models.quantizers import Quantizer

__all__ = ["Wiring"]

PASSING = (nn.MaxPool2d, nn.Dropout, nn.Identity, nn.Flatten, ChannelShuffle)
"""Modules whose results are values of their input."""

RESHAPING = ("flatten", "reshape", "view")
"""Methods of tensors of which the same is true."""


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        ours = (nn.Conv2d, nn.Linear, nn.ReLU, Quantizer, ChannelShuffle, Stored)
        return isinstance(m, ours) or super().is_leaf_module(m, module_qualified_name)


class Wiring:
    """The connections between the modules of ``model``; empty if it cannot be traced."""

    def __init__(self, model: nn.Module):
        self._modules = dict(model.named_modules())
        try:
            nodes = _Tracer().trace(model).nodes
        except Exception:  # Whatever a foreign forward pass raises, there is nothing to be known.
            nodes = []
        self._nodes = {node.target: node for node in nodes if node.op == "call_module"}

    def consumer(self, name: str) -> str | None:
        """The module that alone takes the result of module ``name``, if there is exactly one."""
        node = self._nodes.get(name)
        users = list(node.users) if node else []
        return users[0].target if len(users) == 1 and users[0].op == "call_module" else None

    def producer(self, name: str) -> str | None:
        """The module whose values module ``name`` gets, seen through pooling, shuffling and the
        like.
        """
        node = self._nodes.get(name)
        while node is not None and node.args:
            node = node.args[0] if isinstance(node.args[0], fx.Node) else None
            if node is not None and node.op == "call_method" and node.target in RESHAPING:
                continue
            if node is None or node.op != "call_module":
                return None
            module = self._modules[node.target]
            if not isinstance(module, PASSING) or isinstance(module, Stored):
                return node.target
        return None
