"""Which planes and kernel taps go into which pass."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .layer import Convolution, How, Part

__all__ = [
    "Limits",
    "Taps",
    "chunks_of",
    "cover",
    "kinds_of_chunks",
    "segments",
    "split_first",
    "split_last",
]


@dataclass(frozen=True)
class Taps:
    """Planes and kernel taps that one PASS covers, with the weights that belong to them."""

    planes: range
    kernel_rows: range
    kernel_columns: range
    how: How
    weights: np.ndarray  # (chunk, slot, lane)


@dataclass(frozen=True)
class Limits:
    """What a pass can hold: chunks (by the weight buffer), planes (by the activation buffer), and
    kernel rows.
    """

    chunks: int
    planes: int = 1 << 12
    kernel_rows: int = 15


def _runs(planes: Sequence[int]) -> Iterator[range]:
    """Consecutive planes as ranges."""
    start = None
    for i, plane in enumerate(planes):
        start = plane if start is None else start
        if i + 1 == len(planes) or planes[i + 1] != plane + 1:
            yield range(start, plane + 1)
            start = None


def _parts(whole: range, size: int) -> list[range]:
    return [range(n, min(n + size, whole.stop)) for n in range(whole.start, whole.stop, size)]


def chunks_of(
    layer: Convolution, weights: np.ndarray, planes: range, rows: range, columns: range
) -> np.ndarray:
    """Weights (slot, lane, row, column) of some taps as (chunk, slot, lane); ``planes`` are
    counted from their first lane.
    """
    lanes = layer.input.lanes
    picked = weights.reshape(len(weights), -1, lanes, *weights.shape[2:])
    picked = picked[:, planes.start : planes.stop]
    picked = picked[..., rows.start : rows.stop, columns.start : columns.stop]
    # (slot, plane, lane, row, column) -> (plane, row, column, slot, lane)
    return picked.transpose(1, 3, 4, 0, 2).reshape(-1, len(weights), lanes)


def cover(
    layer: Convolution,
    weights: np.ndarray,
    planes: Sequence[int],
    limits: Limits,
    how: How,
    first: int = 0,
) -> list[Taps]:
    """Passes over all taps of ``planes``, as few as the limits allow. The weights begin with those
    of plane ``first``.
    """
    height, width = weights.shape[2:]
    by_row = max(1, min(height, limits.kernel_rows, limits.chunks // width))
    by_column = min(width, limits.chunks)
    by_plane = max(1, min(limits.planes, limits.chunks // (by_row * by_column)))
    if by_row < min(height, limits.kernel_rows) and height * width > limits.chunks:
        by_plane = 1  # the taps of a plane do not fit: they are cut instead
    return [
        Taps(p, y, x, how, chunks_of(layer, weights, range(p.start - first, p.stop - first), y, x))
        for run in _runs(planes)
        for p in _parts(run, by_plane)
        for y in _parts(range(height), by_row)
        for x in _parts(range(width), by_column)
    ]


def _cut(taps: Taps, shapes: Sequence[tuple[range, range, range]]) -> list[Taps]:
    """Pieces of a pass: their planes, kernel rows and kernel columns, in the order of its chunks.
    Empty ones are left out.
    """
    pieces, start = [], 0
    for planes, rows, columns in shapes:
        end = start + len(planes) * len(rows) * len(columns)
        if end > start:
            pieces.append(Taps(planes, rows, columns, taps.how, taps.weights[start:end]))
        start = end
    return pieces


def split_first(passes: list[Taps]) -> list[Taps]:
    """Cut the first pass after its first kernel row and its first plane: the array begins when few
    weights are there, and the others come meanwhile.
    """
    first, *others = passes
    planes, rows, columns = first.planes, first.kernel_rows, first.kernel_columns
    shapes = (
        (planes[:1], rows[:1], columns),
        (planes[:1], rows[1:], columns),
        (planes[1:], rows, columns),
    )
    return _cut(first, shapes) + others


def split_last(base: list[Taps]) -> list[Taps]:
    """Cut the last tap off: the gate is a pass of its own, so that only it waits for the tasks of
    the tile before.
    """
    *front, last = base
    planes, rows, columns = last.planes, last.kernel_rows, last.kernel_columns
    shapes = (
        (planes[:-1], rows, columns),
        (planes[-1:], rows[:-1], columns),
        (planes[-1:], rows[-1:], columns[:-1]),
        (planes[-1:], rows[-1:], columns[-1:]),
    )
    return front + _cut(last, shapes)


def _planes(part: Part, block: np.ndarray, planes: Sequence[int], lanes: int) -> list[int]:
    """Those of ``planes`` in which a channel of the block has a product."""
    seen = part.seen(lanes)[block].any(axis=0)
    own = {part.planes.start + n for n in np.flatnonzero(seen).tolist()}
    return [plane for plane in planes if plane in own]


def kinds_of_chunks(
    layer: Convolution, block: np.ndarray, planes: Sequence[int]
) -> tuple[tuple[How, int], ...]:
    """How many chunks of each kind the output channels ``block`` take."""
    taps = layer.weights.shape[2] * layer.weights.shape[3]
    return tuple(
        (part.how, len(_planes(part, block, planes, layer.input.lanes)) * taps)
        for part in layer.products
    )


def segments(
    layer: Convolution, block: np.ndarray, planes: Sequence[int], limits: Limits
) -> list[Taps]:
    """The passes of output channels ``block`` in order; those of the gate come before the
    conditional ones.
    """
    passes: dict[bool, list[Taps]] = {False: [], True: []}
    for part in layer.products:
        weights = part.weights[block]
        if not part.chosen[block].all():
            weights = weights * part.chosen[block][:, :, None, None].astype(np.int8)
        seen = _planes(part, block, planes, layer.input.lanes)
        passes[part.how.conditional] += cover(
            layer, weights, seen, limits, part.how, part.planes.start
        )
    if layer.gate is not None:
        passes[False] = split_last(passes[False])
    return passes[False] + passes[True]
