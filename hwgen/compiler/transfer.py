"""Loads and stores of tensors and constants."""

from .program import Access, Builder, in_planes, reads, writes
from .tensors import Region, Tensor
from .weights import Spread

__all__ = ["clear_gaps", "copy_images", "copy_tensor", "load_constants"]

TARGETS = {"activations": 0, "weights": 1, "parameters": 2}


def _memory(region: Region, write: bool) -> Access:
    planes, rows = region.own_planes, region.rows
    return Access(region.tensor.root, planes.start, planes.stop, write, rows.start, rows.stop)


def _copy(
    builder: Builder,
    name: str,
    layer: str,
    region: Region,
    buffer: int,
    size: int,
    pitch: int,
    *,
    column: int = 0,
    **fields: int,
) -> None:
    """LOAD or STORE words of ``region``, to or from words ``buffer`` … of the activation buffer:
    ``size`` words of each plane, which begin ``pitch`` words apart.
    """
    load = name == "LOAD"
    tensor, planes, rows = region.tensor, region.planes, region.rows
    first = planes.start * tensor.plane_words + rows.start * tensor.columns + column
    on_chip = writes if load else reads
    builder.add(
        name,
        [_memory(region, not load), *in_planes(on_chip, buffer, len(planes), pitch, size)],
        f"{layer}: {name.lower()} planes {planes.start}-{planes.stop - 1}, "
        f"rows {rows.start}-{rows.stop - 1}",
        base=tensor.base,
        address=tensor.offset + first * tensor.word,
        planes=len(planes),
        plane_stride=tensor.plane_words,
        buffer=buffer,
        buffer_plane_stride=pitch,
        **fields,
        **({"target": TARGETS["activations"]} if load else {}),
    )


def copy_tensor(
    builder: Builder,
    name: str,
    layer: str,
    tensor: Tensor,
    buffer: int,
    planes: range,
    rows: range,
    columns: range,
    plane_pitch: int | None = None,
    step: int = 1,
) -> None:
    """LOAD or STORE a part of ``tensor``, which lies (or will lie) in the activation buffer from
    ``buffer``, dense but for planes that begin ``plane_pitch`` words apart; ``rows`` count from the
    beginning of a plane. Of ``step`` rows only the first one is copied.
    """
    size = len(rows) * len(columns)
    pitch = plane_pitch or size
    whole = len(columns) == tensor.columns and step == 1
    _copy(
        builder,
        name,
        layer,
        Region(tensor, planes, rows),
        buffer,
        size,
        pitch,
        column=columns.start,
        words=size if whole else len(columns),
        rows=1 if whole else -(-len(rows) // step),
        row_stride=step * tensor.columns,
        buffer_row_stride=step * len(columns),
    )


def copy_images(
    builder: Builder,
    name: str,
    layer: str,
    tensor: Tensor,
    buffer: int,
    planes: range,
    images: range,
    rows: range,
    pitch: int,
    plane_pitch: int | None = None,
) -> None:
    """LOAD or STORE ``rows`` (counted from an image's first one) of several images, which lie
    ``pitch`` rows apart in the activation buffer, and planes ``plane_pitch`` words.
    """
    size = len(images) * pitch * tensor.columns
    plane_pitch = plane_pitch or size
    distance = tensor.rows + tensor.gap
    start = tensor.first_row(images.start) + rows.start
    end = tensor.first_row(images.stop - 1) + rows.stop
    dense = distance == pitch == len(rows)
    _copy(
        builder,
        name,
        layer,
        Region(tensor, planes, range(start, end)),
        buffer,
        size,
        plane_pitch,
        words=len(rows) * tensor.columns * (len(images) if dense else 1),
        rows=1 if dense else len(images),
        row_stride=distance * tensor.columns,
        buffer_row_stride=pitch * tensor.columns,
    )


def clear_gaps(builder: Builder, layer: str, tensor: Tensor, buffer: int) -> None:
    """STORE zeros between the images of ``tensor``, from a gap of zeros at ``buffer``."""
    words = tensor.gap * tensor.columns
    _copy(
        builder,
        "STORE",
        layer,
        Region(tensor, range(tensor.planes), range(tensor.plane_rows)),
        buffer,
        words,
        0,
        words=words,
        rows=tensor.images + 1,
        row_stride=(tensor.rows + tensor.gap) * tensor.columns,
        buffer_row_stride=0,
    )


def load_constants(
    builder: Builder,
    layer: str,
    target: str,
    buffer: int,
    words: int,
    offset: int,
    spread: Spread | None = None,
) -> None:
    """LOAD ``words`` words of the program's constants from byte ``offset`` into a buffer."""
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
        **(spread.fields if spread is not None else {}),
    )
