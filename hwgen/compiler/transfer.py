"""Loads and stores of tensors and constants."""

from .program import Access, Builder, reads, writes
from .tensors import Tensor

__all__ = ["copy_tensor", "load_constants"]

TARGETS = {"activations": 0, "weights": 1, "parameters": 2}


def _memory(tensor: Tensor, planes: range, rows: range, columns: range, make) -> list[Access]:
    """The bytes of a part of a tensor, plane by plane."""
    lanes = tensor.lanes
    result = []
    for plane in planes:
        low = plane * tensor.plane_words + rows.start * tensor.columns + columns.start
        high = plane * tensor.plane_words + (rows.stop - 1) * tensor.columns + columns.stop
        result.append(
            make(f"memory{tensor.base}", tensor.offset + low * lanes, tensor.offset + high * lanes)
        )
    return result


def copy_tensor(
    builder: Builder,
    name: str,
    layer: str,
    tensor: Tensor,
    buffer: int,
    planes: range,
    rows: range,
    columns: range,
) -> None:
    """LOAD or STORE a part of ``tensor``, which lies (or will lie) dense in the activation buffer
    from ``buffer``.
    """
    size = len(rows) * len(columns)
    whole = len(columns) == tensor.columns
    load = name == "LOAD"
    accesses = _memory(tensor, planes, rows, columns, reads if load else writes)
    accesses.append((writes if load else reads)("activations", buffer, buffer + len(planes) * size))
    first = planes.start * tensor.plane_words + rows.start * tensor.columns + columns.start
    builder.add(
        name,
        accesses,
        f"{layer}: {name.lower()} planes {planes.start}-{planes.stop - 1}, "
        f"rows {rows.start}-{rows.stop - 1}, "
        f"columns {columns.start}-{columns.stop - 1}",
        base=tensor.base,
        address=tensor.offset + first * tensor.lanes,
        words=size if whole else len(columns),
        rows=1 if whole else len(rows),
        planes=len(planes),
        row_stride=tensor.columns,
        plane_stride=tensor.plane_words,
        buffer=buffer,
        buffer_row_stride=len(columns),
        buffer_plane_stride=size,
        **({"target": TARGETS["activations"]} if load else {}),
    )


def load_constants(
    builder: Builder, layer: str, target: str, buffer: int, words: int, offset: int
) -> None:
    """LOAD ``words`` words of the program's constants from byte ``offset`` into the weight or
    parameter memory.
    """
    builder.add(
        "LOAD",
        [writes(target, buffer, buffer + words)],
        f"{layer}: load {target}",
        target=TARGETS[target],
        base=0,
        address=offset,
        words=words,
        rows=1,
        planes=1,
        row_stride=0,
        plane_stride=0,
        buffer=buffer,
        buffer_row_stride=0,
        buffer_plane_stride=0,
    )
