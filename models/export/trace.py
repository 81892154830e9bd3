"""From any ``nn.Module`` to a :class:`~models.export.ir.FloatGraph`, through ``torch.export``.

Whatever only moves numbers (views, transposes, slices, chunks, flips of channel order) is not
understood operation by operation: it is applied to a tensor of indices, and what came of it is
recognized where the numbers are next used. So a channel shuffle is one however it is spelled.
"""

import logging
import operator
import re
from contextlib import contextmanager

import torch

from hwgen.errors import UserError

from .addressing import Value, materialize
from .ir import FloatGraph, Op
from .leaves import Describe, Leaf, marked
from .operations import BATCH, OPERATIONS, Context, Refused

__all__ = ["trace"]

LEAF = torch.ops.hwgen.leaf.default

MOVING = set(
    """
    alias channel_shuffle chunk clone contiguous detach detach_ expand flatten flip index_select
    lift_fresh_copy movedim native_channel_shuffle narrow permute reshape roll select slice split
    split_with_sizes squeeze squeeze_ swapaxes t tensor_split to _to_copy transpose unbind unflatten
    unsafe_chunk unsafe_split unsqueeze unsqueeze_ view _unsafe_view view_as
    """.split()
)
NOTHING = {"alpha_dropout", "dropout", "dropout_", "feature_dropout", "identity"}


def trace(model: torch.nn.Module, shape, describe: Describe | None = None) -> FloatGraph:
    """Trace ``model`` in evaluation mode on images of ``shape`` (channels, rows, columns).

    Modules that ``describe`` knows are taken as what it says they are.

    UserError names the layer (the path of its module) and the operation for which there are no
    integers.
    """
    model.eval()
    example = torch.zeros(BATCH, *shape)
    try:
        with (
            marked(model, describe or (lambda module: None)) as leaves,
            torch.no_grad(),
            _without_log(),
        ):
            exported = torch.export.export(model, (example,))
    except Exception as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"{type(model).__name__}: torch.export cannot trace it on images {list(shape)}: "
            f"{first[0]}"
        ) from error
    return _Tracer(exported, tuple(shape), leaves).run()


@contextmanager
def _without_log():
    """torch.export logs pages about what the exception then says."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


class _Tracer:
    def __init__(self, exported, shape, leaves: list[list[Leaf]]):
        self.exported, self.shape = exported, shape
        self.context = Context(leaves)
        self.graph = self.context.graph
        self.values: dict = {}

    def run(self) -> FloatGraph:
        constants = self._constants()
        for node in self.exported.graph.nodes:
            label = self._label(node)
            try:
                if node.op == "placeholder":
                    self.values[node] = constants.get(node.name)
                    if self.values[node] is None:
                        self.values[node] = self._input()
                elif node.op == "call_function":
                    self.values[node] = self._call(node, label)
                elif node.op == "output":
                    self._outputs(node)
            except (Refused, ValueError) as error:
                raise UserError(f"layer {label!r}: {error}") from None
            except TypeError as error:
                # An argument that the operation has and its function here does not know.
                message = f"{self._name(node)} with these arguments has no integers here"
                raise UserError(f"layer {label!r}: {message} ({error})") from None
        return self.graph

    def _constants(self) -> dict:
        signature, exported = self.exported.graph_signature, self.exported
        found = {}
        for name, target in {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
        }.items():
            tensor = exported.state_dict.get(target)
            found[name] = exported.constants[target] if tensor is None else tensor
        for name, target in signature.inputs_to_lifted_tensor_constants.items():
            found[name] = exported.constants[target]
        return {name: tensor.detach() for name, tensor in found.items()}

    @staticmethod
    def _label(node) -> str:
        """The path of the module the operation comes from; with its own name if the module has
        several.
        """
        stack = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values() if path]
        if not stack:
            return node.name
        leaf = list(node.meta["nn_module_stack"].values())[-1][1]
        own = str(leaf).startswith("torch.nn.modules.") or node.target is LEAF
        return stack[-1] if own else f"{stack[-1]}.{node.name}"

    def _input(self) -> Value:
        if self.graph.ops:
            raise Refused("a network takes one tensor, this one takes more")
        self.graph.append(Op("input", "input", [], self.shape))
        return Value("input", (BATCH, *self.shape), None)

    def _outputs(self, node) -> None:
        results, _ = torch.utils._pytree.tree_flatten(node.args[0])
        for result in results:
            value = self.values.get(result)
            if not isinstance(value, Value):
                raise Refused("a result that does not depend on the input")
            source = materialize(self.graph, value, "output")
            self.graph.append(Op("output", "output", [source], self.graph.ops[source].shape))

    def _call(self, node, label: str):
        args = torch.fx.map_arg(node.args, lambda n: self.values[n])
        kwargs = torch.fx.map_arg(node.kwargs, lambda n: self.values[n])
        name = self._name(node)
        flat, _ = torch.utils._pytree.tree_flatten(
            (args, kwargs), is_leaf=lambda x: isinstance(x, Value)
        )
        if not any(isinstance(x, Value) for x in flat):
            return node.target(*args, **kwargs)
        if node.target is operator.getitem:
            return args[0][args[1]]
        if name in NOTHING:
            return args[0]
        if name in MOVING:
            return args[0].moved(node.target, args[1:], kwargs)
        if name not in OPERATIONS:
            raise Refused(f"{name} has no integers here")
        result = OPERATIONS[name](self.context, _safe(label), node, *args, **kwargs)
        if node.target._schema.name.endswith("_"):
            # In place: whoever reads the argument later reads the result.
            self.values[node.args[0]] = result
        return result

    @staticmethod
    def _name(node) -> str:
        schema = getattr(node.target, "_schema", None)
        return schema.name.split("::")[-1] if schema else str(node.target)


def _safe(label: str) -> str:
    """``label`` as a name of a network file."""
    name = re.sub(r"[^A-Za-z0-9_.\-]", "_", label)
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"
