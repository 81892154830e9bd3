"""From any ``nn.Module`` to a :class:`~models.export.ir.FloatGraph`, through ``torch.export``.

Whatever only moves numbers (views, transposes, slices, chunks, flips of channel order) is not
understood operation by operation: it is applied to a tensor of indices, and what came of it is
recognized where the numbers are next used. So a channel shuffle is one however it is spelled.
"""

import math
import operator
import re

import numpy as np
import torch

from hwgen.errors import UserError

from .addressing import Value, materialize
from .ir import FloatGraph, Op
from .leaves import Describe, Leaf, marked

__all__ = ["trace"]

LEAF = torch.ops.hwgen.leaf.default

# Two images, so that an axis of batch is never mistaken for an axis of size one.
BATCH = 2

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
        with marked(model, describe or (lambda module: None)) as leaves, torch.no_grad():
            exported = torch.export.export(model, (example,))
    except Exception as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"{type(model).__name__}: torch.export cannot trace it on images {list(shape)}: "
            f"{first[0]}"
        ) from error
    return _Tracer(exported, tuple(shape), leaves).run()


class _Refused(ValueError):
    """An operation that has no integers; the tracer adds where."""


class _Tracer:
    def __init__(self, exported, shape, leaves: list[list[Leaf]]):
        self.exported, self.shape, self.leaves = exported, shape, leaves
        self.graph = FloatGraph()
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
            except (_Refused, ValueError) as error:
                raise UserError(f"layer {label!r}: {error}") from None
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
            raise _Refused("a network takes one tensor, this one takes more")
        self.graph.append(Op("input", "input", [], self.shape))
        return Value("input", (BATCH, *self.shape), None)

    def _outputs(self, node) -> None:
        results, _ = torch.utils._pytree.tree_flatten(node.args[0])
        for result in results:
            value = self.values.get(result)
            if not isinstance(value, Value):
                raise _Refused("a result that does not depend on the input")
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
        method = getattr(self, f"_do_{name}", None)
        if method is None:
            raise _Refused(f"{name} has no integers here")
        result = method(_safe(label), node, *args, **kwargs)
        if node.target._schema.name.endswith("_"):
            # In place: whoever reads the argument later reads the result.
            self.values[node.args[0]] = result
        return result

    @staticmethod
    def _name(node) -> str:
        if node.target is operator.getitem:
            return "getitem"
        return node.target._schema.name.split("::")[-1]

    # Helpers of the operations.

    def _source(self, value, label: str) -> str:
        """The operation that makes ``value`` as (channels, rows, columns), after adding what moves
        it there.
        """
        if not isinstance(value, Value):
            raise _Refused("computes on a constant where an activation is expected")
        return materialize(self.graph, value, label)

    def _append(self, label, kind, inputs, shape, axes=4, **attrs) -> Value:
        op = self.graph.append(Op(label, kind, inputs, tuple(shape), attrs, label))
        return Value.whole(op.name, op.shape, BATCH, axes)

    def _channels(self, value, constant) -> np.ndarray:
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
            raise _Refused(
                f"a constant of shape {list(constant.shape)} widens its operand"
            ) from None
        each = whole[0].reshape(value.shape[1], -1)
        if not (whole == whole[:1]).all() or not (each == each[:, :1]).all():
            raise _Refused("a constant that differs between positions")
        return each[:, 0].numpy().copy()

    def _affine(self, label, value, gain, shift) -> Value:
        source = self._source(value, label)
        shape = self.graph.ops[source].shape
        return self._append(
            label, "affine", [source], shape, len(value.shape), gain=gain, shift=shift
        )

    def _clamp(self, label, value, lo, hi) -> Value:
        source = self._source(value, label)
        shape = self.graph.ops[source].shape
        return self._append(
            label, "clamp", [source], shape, len(value.shape), lo=float(lo), hi=float(hi)
        )

    # Operations with weights.

    def _do_conv2d(
        self, label, node, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1
    ):
        if not isinstance(weight, torch.Tensor) or isinstance(bias, Value):
            raise _Refused("its weights depend on the input")
        if any(d != 1 for d in _pair(dilation)):
            raise _Refused(f"dilation must be 1, not {dilation}")
        source, kernel, stride = self._source(x, label), weight.shape[2:], _pair(stride)
        sides = _sides(padding, kernel, stride)
        rows, cols = node.meta["val"].shape[2:]
        return self._append(
            label,
            "conv",
            [source],
            (len(weight), rows, cols),
            weight=weight.double().numpy().copy(),
            gain=np.ones(len(weight)),
            shift=_bias(bias, len(weight)),
            stride=stride,
            padding=sides,
            groups=groups,
        )

    def _do_convolution(
        self, label, node, x, weight, bias, stride, padding, dilation, transposed, out_pad, groups
    ):
        if transposed or weight.ndim != 4:
            raise _Refused("only two-dimensional convolutions, not transposed ones")
        return self._do_conv2d(label, node, x, weight, bias, stride, padding, dilation, groups)

    def _do_linear(self, label, node, x, weight, bias=None):
        if not isinstance(weight, torch.Tensor) or isinstance(bias, Value):
            raise _Refused("its weights depend on the input")
        if not isinstance(x, Value) or len(x.shape) != 2:
            raise _Refused("a fully connected layer over anything but (images, features)")
        matrix = weight.double().numpy()
        source, order = x.features(self.graph, label)
        if order is not None:
            matrix = _reordered(matrix, order)
        return self._append(
            label,
            "linear",
            [source],
            (len(matrix), 1, 1),
            2,
            weight=matrix.copy(),
            gain=np.ones(len(matrix)),
            shift=_bias(bias, len(matrix)),
        )

    def _do_addmm(self, label, node, bias, x, weight):
        return self._do_linear(label, node, x, weight.t(), bias)

    def _do_batch_norm(
        self, label, node, x, weight, bias, mean, var, training, momentum, eps, cudnn=False
    ):
        if training or mean is None or var is None:
            raise _Refused("a batch norm without running statistics depends on its batch")
        deviation = torch.sqrt(var.double() + eps)
        gain = (torch.ones_like(deviation) if weight is None else weight.double()) / deviation
        shift = -mean.double() * gain
        if bias is not None:
            shift = shift + bias.double()
        return self._affine(label, x, gain.numpy(), shift.numpy())

    def _do__native_batch_norm_legit_no_training(
        self, label, node, x, weight, bias, mean, var, momentum, eps
    ):
        whole = self._do_batch_norm(label, node, x, weight, bias, mean, var, False, momentum, eps)
        return (whole, None, None)

    # Elementwise operations.

    def _do_relu(self, label, node, x):
        return self._clamp(label, x, 0.0, math.inf)

    def _do_hardtanh(self, label, node, x, lo=-1.0, hi=1.0):
        return self._clamp(label, x, lo, hi)

    def _do_clamp(self, label, node, x, min=None, max=None):
        lo = -math.inf if min is None else min
        hi = math.inf if max is None else max
        if isinstance(lo, torch.Tensor | Value) or isinstance(hi, torch.Tensor | Value):
            raise _Refused("clamps to something that is not a number")
        return self._clamp(label, x, lo, hi)

    def _do_clamp_min(self, label, node, x, lo):
        return self._do_clamp(label, node, x, lo, None)

    def _do_relu6(self, label, node, x):
        return self._clamp(label, x, 0.0, 6.0)

    def _do_add(self, label, node, a, b, alpha=1):
        if isinstance(a, Value) and isinstance(b, Value):
            return self._sum(label, a, b, float(alpha))
        if not isinstance(a, Value):
            a, b = b, a
            channels = self._channels(a, b)
            return self._affine(label, a, np.full(len(channels), float(alpha)), channels)
        shift = self._channels(a, b) * alpha
        return self._affine(label, a, np.ones(len(shift)), shift)

    def _do_sub(self, label, node, a, b, alpha=1):
        if not isinstance(a, Value):
            return self._do_add(label, node, a, b, alpha=-alpha)
        if isinstance(b, Value):
            return self._sum(label, a, b, -float(alpha))
        return self._do_add(label, node, a, b, alpha=-alpha)

    def _do_rsub(self, label, node, a, b, alpha=1):
        return self._do_sub(label, node, b, a, alpha)

    def _do_mul(self, label, node, a, b):
        if isinstance(a, Value) and isinstance(b, Value):
            raise _Refused("multiplies two activations")
        a, b = (a, b) if isinstance(a, Value) else (b, a)
        gain = self._channels(a, b)
        return self._affine(label, a, gain, np.zeros(len(gain)))

    def _do_div(self, label, node, a, b, rounding_mode=None):
        if isinstance(b, Value) or rounding_mode is not None:
            raise _Refused("divides by an activation, or rounds")
        gain = 1 / self._channels(a, b)
        return self._affine(label, a, gain, np.zeros(len(gain)))

    def _do_neg(self, label, node, a):
        return self._do_mul(label, node, a, -1.0)

    def _sum(self, label, a, b, gain_b: float) -> Value:
        if a.shape != b.shape:
            raise _Refused(f"adds shapes {list(a.shape[1:])} and {list(b.shape[1:])}")
        first, second = self._source(a, label), self._source(b, label)
        shape = self.graph.ops[first].shape
        ones = np.ones(shape[0])
        return self._append(
            label,
            "add",
            [first, second],
            shape,
            len(a.shape),
            gain=ones,
            gain_b=ones * gain_b,
            shift=np.zeros(shape[0]),
        )

    _do_relu_, _do_hardtanh_, _do_clamp_, _do_relu6_ = _do_relu, _do_hardtanh, _do_clamp, _do_relu6
    _do_clamp_min_, _do_add_, _do_sub_ = _do_clamp_min, _do_add, _do_sub
    _do_mul_, _do_div_, _do_neg_ = _do_mul, _do_div, _do_neg

    # Pooling.

    def _do_max_pool2d(self, label, node, x, kernel, stride=(), padding=0, dilation=1, ceil=False):
        if any(d != 1 for d in _pair(dilation)):
            raise _Refused(f"dilation must be 1, not {dilation}")
        return self._window(label, node, "maxpool", x, kernel, stride, padding)

    def _do_max_pool2d_with_indices(self, label, node, *args):
        # The operation gives a pair; its second half, if anybody used it, is refused as no value.
        shapes = node.meta["val"][0]
        return (self._do_max_pool2d(label, _Shaped(shapes), *args), None)

    def _do_avg_pool2d(
        self, label, node, x, kernel, stride=(), padding=0, ceil=False, include=True, divisor=None
    ):
        if any(_pair(padding)) and not include:
            raise _Refused("an average that does not count its padding")
        size = math.prod(_pair(kernel))
        return self._window(label, node, "avgpool", x, kernel, stride, padding, divisor or size)

    def _window(self, label, node, kind, x, kernel, stride, padding, divisor=None):
        source = self._source(x, label)
        kernel, (top, left) = _pair(kernel), _pair(padding)
        stride = _pair(stride) if stride else kernel
        shape = self.graph.ops[source].shape
        rows, cols = node.meta["val"].shape[2:]
        # What a window of ceil_mode reaches beyond the padding.
        below = max((rows - 1) * stride[0] + kernel[0] - shape[1] - 2 * top, 0)
        right = max((cols - 1) * stride[1] + kernel[1] - shape[2] - 2 * left, 0)
        if divisor and (below or right):
            raise _Refused("an average over windows that reach beyond the image (ceil_mode)")
        sides = (top, top + below, left, left + right)
        attrs = {"kernel": kernel, "stride": stride, "padding": sides}
        if divisor:
            attrs |= {"gain": np.full(shape[0], 1 / divisor), "shift": np.zeros(shape[0])}
        return self._append(label, kind, [source], (shape[0], rows, cols), **attrs)

    def _do_adaptive_avg_pool2d(self, label, node, x, size):
        return self._adaptive(label, node, "avgpool", x, size)

    def _do_adaptive_max_pool2d(self, label, node, x, size):
        return (self._adaptive(label, _Shaped(node.meta["val"][0]), "maxpool", x, size), None)

    def _adaptive(self, label, node, kind, x, size):
        if kind == "avgpool" and tuple(_pair(size)) == (1, 1):
            return self._mean(label, x, 4)
        rows, cols = x.shape[2:]
        if rows % _pair(size)[0] or cols % _pair(size)[1]:
            raise _Refused(f"pools {rows}×{cols} to {list(size)}: windows of unequal size")
        kernel = (rows // _pair(size)[0], cols // _pair(size)[1])
        if kernel == (1, 1):
            return x
        divisor = math.prod(kernel) if kind == "avgpool" else None
        return self._window(label, node, kind, x, kernel, kernel, 0, divisor)

    def _do_mean(self, label, node, x, dims=None, keepdim=False, dtype=None):
        if len(x.shape) != 4 or sorted(d % 4 for d in dims or ()) != [2, 3]:
            raise _Refused("a mean over anything but height and width")
        return self._mean(label, x, 4 if keepdim else 2)

    def _do_amax(self, label, node, x, dims=(), keepdim=False):
        if len(x.shape) != 4 or sorted(d % 4 for d in dims) != [2, 3]:
            raise _Refused("a maximum over anything but height and width")
        source, kernel = self._source(x, label), tuple(x.shape[2:])
        attrs = {"kernel": kernel, "stride": kernel, "padding": (0, 0, 0, 0)}
        axes = 4 if keepdim else 2
        return self._append(label, "maxpool", [source], (x.shape[1], 1, 1), axes, **attrs)

    def _mean(self, label, x, axes: int) -> Value:
        source = self._source(x, label)
        channels, rows, cols = self.graph.ops[source].shape
        attrs = {"gain": np.full(channels, 1 / (rows * cols)), "shift": np.zeros(channels)}
        return self._append(label, "gap", [source], (channels, 1, 1), axes, **attrs)

    # Structure.

    def _do_leaf(self, label, node, x, index: int):
        source = self._source(x, label)
        for number, leaf in enumerate(self.leaves[index]):
            shape = self.graph.ops[source].shape
            if leaf.kind in ("conv", "linear"):
                shape = tuple(node.meta["val"].shape[1:])
                shape = (*shape, 1, 1) if len(shape) == 1 else shape
            name = label if number == 0 else f"{label}.{leaf.kind}"
            op = Op(name, leaf.kind, [source], shape, dict(leaf.attrs), label)
            source = self.graph.append(op).name
        return Value.whole(source, self.graph.ops[source].shape, BATCH, len(x.shape))

    def _do_cat(self, label, node, values, dim=0):
        if not all(isinstance(v, Value) for v in values):
            raise _Refused("concatenates a constant")
        axes = len(values[0].shape)
        if len({v.source for v in values}) == 1:
            return Value.joined(values, dim)
        if dim % axes != 1 or axes not in (2, 4):
            raise _Refused("concatenates along anything but the channels")
        sources = [self._source(v, label) for v in values]
        shapes = [self.graph.ops[s].shape for s in sources]
        shape = (sum(s[0] for s in shapes), *shapes[0][1:])
        return self._append(label, "concat", sources, shape, axes)

    def _do_pad(self, label, node, x, pads, mode="constant", value=None):
        if mode != "constant" or value not in (None, 0, 0.0):
            raise _Refused(f"pads with {mode if mode != 'constant' else value}, not with zeros")
        if len(x.shape) != 4:
            raise _Refused("pads something that has no height and width")
        pads = [*pads, *[0] * (8 - len(pads))]
        left, right, top, bottom, before, after, first, last = pads
        if first or last or min(pads) < 0:
            raise _Refused(f"padding {pads}: negative, or of the batch")
        source = self._source(x, label)
        shape = tuple(node.meta["val"].shape[1:])
        sides = (top, bottom, left, right)
        return self._append(
            label, "pad", [source], shape, padding=sides, before=before, after=after
        )

    def _do_constant_pad_nd(self, label, node, x, pads, value=0):
        return self._do_pad(label, node, x, pads, "constant", value)

    def _do_log_softmax(self, label, node, x, dim, dtype=None):
        """Leaves the order of the classes alone, so a network may end with one; nothing computes
        it.
        """
        if any(user.op != "output" for user in node.users):
            raise _Refused(f"{self._name(node)} anywhere but at the end")
        return x

    _do_softmax = _do__softmax = _do__log_softmax = _do_log_softmax


class _Shaped:
    """A node that stands for the first of several results."""

    def __init__(self, value):
        self.meta = {"val": value}


def _pair(value) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[0]) if len(value) == 1 else (value[0], value[1])


def _sides(padding, kernel, stride) -> tuple[int, int, int, int]:
    """top, bottom, left, right of what ``Conv2d`` takes as padding."""
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":
        top, left = (kernel[0] - 1) // 2, (kernel[1] - 1) // 2
        return (top, kernel[0] - 1 - top, left, kernel[1] - 1 - left)
    rows, cols = _pair(padding)
    return (rows, rows, cols, cols)


def _bias(bias, channels: int) -> np.ndarray:
    return np.zeros(channels) if bias is None else bias.detach().double().numpy().copy()


def _reordered(matrix, order) -> np.ndarray:
    """Columns for a source in its own order, of a layer that reads feature j from ``order[j]``."""
    columns = np.zeros((len(matrix), int(order.max()) + 1 if order.size else 0))
    np.add.at(columns.T, order, matrix.T)
    return columns


def _safe(label: str) -> str:
    """``label`` as a name of a network file."""
    name = re.sub(r"[^A-Za-z0-9_.\-]", "_", label)
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"
