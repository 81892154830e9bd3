"""Operations that put tensors together, and modules that describe themselves."""

from ..addressing import Value
from ..ir import Op
from .context import BATCH, Refused, operation

__all__ = ["cat", "constant_pad_nd", "leaf", "log_softmax", "pad"]


@operation("leaf")
def leaf(context, label, node, x, index: int):
    source = context.source(x, label)
    leaves = context.leaves[index]
    for part in leaves:
        shape = context.graph.ops[source].shape
        if part.kind in ("conv", "linear", "thermometer"):
            shape = tuple(node.meta["val"].shape[1:])
            shape = (*shape, 1, 1) if len(shape) == 1 else shape
        name = label if part is leaves[-1] else f"{label}.{part.kind}"
        op = Op(name, part.kind, [source], shape, dict(part.attrs), label)
        source = context.graph.append(op).name
    return Value.whole(source, context.graph.ops[source].shape, BATCH, len(x.shape))


@operation("cat")
def cat(context, label, node, values, dim=0):
    if not all(isinstance(v, Value) for v in values):
        raise Refused("concatenates a constant")
    axes = len(values[0].shape)
    if len({v.source for v in values}) == 1:
        return Value.joined(values, dim)
    if dim % axes != 1 or axes not in (2, 4):
        raise Refused("concatenates along anything but the channels")
    sources = [context.source(v, label) for v in values]
    shapes = [context.graph.ops[s].shape for s in sources]
    shape = (sum(s[0] for s in shapes), *shapes[0][1:])
    return context.append(label, "concat", sources, shape, axes)


@operation("pad")
def pad(context, label, node, x, pads, mode="constant", value=None):
    if mode != "constant" or value not in (None, 0, 0.0):
        raise Refused(f"pads with {mode if mode != 'constant' else value}, not with zeros")
    if len(x.shape) != 4:
        raise Refused("pads something that has no height and width")
    pads = [*pads, *[0] * (8 - len(pads))]
    left, right, top, bottom, before, after, first, last = pads
    if first or last or min(pads) < 0:
        raise Refused(f"padding {pads}: negative, or of the batch")
    source = context.source(x, label)
    shape = tuple(node.meta["val"].shape[1:])
    sides = (top, bottom, left, right)
    return context.append(label, "pad", [source], shape, padding=sides, before=before, after=after)


@operation("constant_pad_nd")
def constant_pad_nd(context, label, node, x, pads, value=0):
    return pad(context, label, node, x, pads, "constant", value)


@operation("log_softmax", "softmax", "_softmax", "_log_softmax")
def log_softmax(context, label, node, x, dim, dtype=None):
    """Leaves the order of the classes alone, so a network may end with one; nothing computes
    it.
    """
    if any(user.op != "output" for user in node.users):
        raise Refused(f"{node.target._schema.name.split('::')[-1]} anywhere but at the end")
    return x
