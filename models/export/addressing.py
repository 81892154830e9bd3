"""Recognizing what a chain of views, transposes and slices did, from what it did to indices."""

from dataclasses import dataclass

import numpy as np
import torch

from .ir import FloatGraph, Op

__all__ = ["Value", "materialize"]


@dataclass
class Value:
    """A tensor that is a rearrangement of one operation's result.

    ``index`` has the tensor's shape and holds, for each element, its place in the flattened
    (images, channels, rows, columns) of the operation ``source``; None if the tensor is exactly
    that.
    """

    source: str
    shape: tuple[int, ...]
    index: torch.Tensor | None
    origin: tuple[int, ...] = ()

    def __post_init__(self):
        self.shape = tuple(self.shape)
        self.origin = tuple(self.origin) or self.shape

    @classmethod
    def whole(cls, source: str, shape, batch: int, axes: int) -> "Value":
        """All of ``source``, as (images, channels, rows, columns), or as (images, channels) of a
        1×1 map.
        """
        origin = (batch, *shape)
        if axes == 4:
            return cls(source, origin, None, origin)
        return cls(source, origin[:2], torch.arange(batch * shape[0]).view(origin[:2]), origin)

    def indices(self) -> torch.Tensor:
        """``index``, also where it is implied."""
        if self.index is None:
            return torch.arange(int(np.prod(self.shape))).view(self.shape)
        return self.index

    def moved(self, target, args, kwargs):
        """The values after an operation that only moves numbers."""
        name = target._schema.name.split("::")[-1]
        if name in ("to", "_to_copy", "contiguous", "clone"):
            return self
        if name in ("view", "_unsafe_view"):
            # What is a view of the tensor need not be one of its indices.
            target = torch.ops.aten.reshape.default
        args = [a.indices() if isinstance(a, Value) else a for a in args]
        result = target(self.indices(), *args, **kwargs)
        if isinstance(result, list | tuple):
            return [Value(self.source, r.shape, r, self.origin) for r in result]
        return Value(self.source, result.shape, result, self.origin)

    def repeated(self, rows: int, cols: int) -> "Value":
        """Each position of a map ``rows`` times, and ``cols`` times in a row."""
        if rows == cols == 1:
            return self
        index = self.indices().repeat_interleave(rows, 2).repeat_interleave(cols, 3)
        return Value(self.source, index.shape, index, self.origin)

    @staticmethod
    def joined(values: list["Value"], dim: int) -> "Value":
        """The concatenation of rearrangements of one source."""
        index = torch.cat([value.indices() for value in values], dim)
        return Value(values[0].source, index.shape, index, values[0].origin)

    def features(self, graph: FloatGraph, label: str):
        """(source, order) of a value (images, features): feature j is number ``order[j]`` of the
        source's image.

        ``order`` is None where it is the source's own; a source of another size than the features
        is cut first.
        """
        index = _one_image(self)
        shape = graph.ops[self.source].shape
        size = int(np.prod(shape))
        order = index.reshape(-1)
        if order.size == size and (order == np.arange(size)).all():
            return self.source, None
        if len(np.unique(order)) == size:
            return self.source, order
        return materialize(graph, self, label), None


def _one_image(value: Value) -> np.ndarray:
    """The index within an image, checked to be the same for every image."""
    index = value.indices()
    size = int(np.prod(value.origin[1:]))
    if index.ndim < 2 or index.shape[0] != value.origin[0]:
        raise ValueError("mixes the batch with other axes")
    first = index[0]
    if not all((index[i] == first + i * size).all() for i in range(len(index))):
        raise ValueError("mixes images of a batch")
    return first.numpy()


def materialize(graph: FloatGraph, value: Value, label: str) -> str:
    """Name of an operation whose result is ``value``; ValueError if no layer can do the
    rearrangement.
    """
    if value.index is None:
        return value.source
    index = _one_image(value)
    shape = graph.ops[value.source].shape
    if index.ndim == 1:
        return _features(graph, value.source, shape, index, label)
    if index.ndim != 3:
        raise ValueError(f"computes on {index.ndim + 1} axes, not on 2 or 4")
    place, channel = index % (shape[1] * shape[2]), index // (shape[1] * shape[2])
    if (channel != channel[:, :1, :1]).any() or (place != place[:1]).any():
        if index.shape[1:] == (1, 1):
            return _features(graph, value.source, shape, index.reshape(-1), label)
        raise ValueError("rearranges channels and positions together")
    source = _positions(graph, value.source, shape, place[0], label)
    return _gathered(graph, source, channel[:, 0, 0], label)


def _moving(graph: FloatGraph, kind: str, sources: list[str], shape, label: str, **attrs) -> str:
    """An operation that only moves numbers; the same one again if it is there already."""
    for op in graph.ops.values():
        if (op.kind, op.inputs, op.attrs) == (kind, sources, attrs):
            return op.name
    name = f"{sources[0]}.{kind}"
    return graph.append(Op(name, kind, sources, tuple(shape), attrs, label)).name


def _features(graph, source: str, shape, order, label: str) -> str:
    if shape[1:] != (1, 1):
        source = _moving(graph, "flatten", [source], (int(np.prod(shape)), 1, 1), label)
    return _gathered(graph, source, order, label)


def _positions(graph, source: str, shape, place, label: str) -> str:
    """Every stride[0]-th row and stride[1]-th column, from the first on."""
    rows, cols = place[:, 0] // shape[2], place[0] % shape[2]
    stride = tuple(int(axis[1] - axis[0]) if len(axis) > 1 else 0 for axis in (rows, cols))
    # One row or column left: any stride that is as long as the axis does it.
    stride = tuple(s or size for s, size in zip(stride, shape[1:], strict=True))
    regular = min(stride) > 0 and all(
        (axis == np.arange(-(-size // s)) * s).all() if len(axis) == -(-size // s) else False
        for axis, s, size in zip((rows, cols), stride, shape[1:], strict=True)
    )
    if not regular or (place != rows[:, None] * shape[2] + cols).any():
        raise ValueError("takes positions other than every n-th from the first (a crop or a flip)")
    if stride == (1, 1) or place.shape == shape[1:]:
        return source
    return _moving(graph, "subsample", [source], (shape[0], *place.shape), label, stride=stride)


def _gathered(graph, source: str, order, label: str) -> str:
    """The channels ``order`` of ``source``: a shuffle, if it helps, then runs of channels put
    together.
    """
    channels, *rest = graph.ops[source].shape
    best = None
    for groups in (g for g in range(1, channels + 1) if channels % g == 0):
        position = np.empty(channels, dtype=np.int64)
        position[np.arange(channels).reshape(groups, -1).T.ravel()] = np.arange(channels)
        shuffled = position[order]
        runs = np.split(shuffled, np.flatnonzero(np.diff(shuffled) != 1) + 1)
        if best is None or len(runs) < len(best[1]):
            best = groups, runs
    groups, runs = best
    if groups > 1:
        source = _moving(graph, "shuffle", [source], (channels, *rest), label, groups=groups)
    if len(runs) == 1 and len(order) == channels:
        return source
    parts = [
        _moving(
            graph, "split", [source], (len(run), *rest), label, start=int(run[0]), count=len(run)
        )
        for run in runs
    ]
    if len(parts) == 1:
        return parts[0]
    return _moving(graph, "concat", parts, (len(order), *rest), label)
