"""Bytes of a tensor to the operands of narrow modes, by the vector unit."""

from ..config import Config
from ..errors import UserError
from .item import Item, Need
from .memory import Buffers
from .program import Builder, in_planes, reads, writes
from .tensors import Region, Slice, Tensor
from .transfer import copy_tensor

__all__ = ["add_pack", "lower_packing"]


class _Packing:
    """The packing of one tensor; ``layer`` is the one that reads what comes of it."""

    def __init__(self, builder: Builder, buffers: Buffers, layer: str, source: Tensor, to: Tensor):
        self.builder, self.buffers, self.layer = builder, buffers, layer
        self.source, self.to = source, to
        self.together = to.lanes // source.lanes  # planes of bytes in a plane of a slice

    def items(self) -> list[Item]:
        """A piece for each tile: planes of the result (of every slice), and rows."""
        planes, rows = self._tile()
        return [
            self._item(
                image,
                range(first, min(first + planes, self.to.slice_planes)),
                range(row, min(row + rows, self.source.rows)),
            )
            for image in range(self.source.images)
            for row in range(0, self.source.rows, rows)
            for first in range(0, self.to.slice_planes, planes)
        ]

    def _words(self, planes: int, rows: int) -> int:
        return planes * (self.together + len(self.to.slices)) * rows * self.source.columns

    def _tile(self) -> tuple[int, int]:
        planes, rows = self.to.slice_planes, self.source.rows
        while self._words(planes, rows) > self.buffers.vector_words and rows > 1:
            rows = -(-rows // 2)
        while self._words(planes, rows) > self.buffers.vector_words and planes > 1:
            planes = -(-planes // 2)
        if self._words(planes, rows) > self.buffers.activations.size:
            raise UserError(
                f"layer {self.layer}: packing a row of its input needs "
                f"{self._words(planes, rows)} words of the activation buffer, "
                f"{self.buffers.activations.size} are there; raise memory.activation_words"
            )
        return planes, rows

    def _item(self, image: int, planes: range, rows: range) -> Item:
        source, to, owner = self.source, self.to, object()
        start = source.first_row(image)
        own = range(start + rows.start, start + rows.stop)
        size = len(rows) * source.columns
        first = planes.start * self.together
        inside = range(first, min(planes.stop * self.together, source.planes))
        outside = [
            range(n * to.slice_planes + planes.start, n * to.slice_planes + planes.stop)
            for n in range(len(to.slices))
        ]
        where: dict[str, int] = {}
        columns = range(source.columns)

        def room() -> None:
            words = len(outside) * len(planes) * size
            where["output"] = self.buffers.activations.take(words, owner, end=True)

        def load() -> None:
            words = len(inside) * size
            at = where["input"] = self.buffers.activations.take(words, owner, end=True)
            copy_tensor(self.builder, "LOAD", self.layer, source, at, inside, own, columns)

        def compute() -> None:
            for number, part in enumerate(outside):
                for n in range(len(planes)):
                    begin = n * self.together
                    count = min(self.together, len(inside) - begin)
                    at = where["output"] + (number * len(planes) + n) * size
                    add_pack(
                        self.builder,
                        self.layer,
                        to.slices[number],
                        part[n],
                        where["input"] + begin * size,
                        size,
                        count,
                        at,
                        len(rows),
                        source.columns,
                    )
            for number, part in enumerate(outside):
                at = where["output"] + number * len(planes) * size
                copy_tensor(self.builder, "STORE", self.layer, to, at, part, own, columns)

        return Item(
            self.layer,
            "vector",
            [],
            [Need(None, room), Need(Region(source, inside, own), load, len(inside) * size)],
            compute,
            [Region(to, part, own) for part in outside],
            [owner],
            cycles=len(outside) * len(inside) * size,
            stores=len(outside) * len(planes) * size,
        )


def add_pack(
    builder: Builder,
    layer: str,
    part: Slice,
    plane: int,
    first: int,
    pitch: int,
    count: int,
    output: int,
    rows: int,
    columns: int,
) -> None:
    """One plane of a slice at ``output`` from ``count`` planes of bytes, which begin at ``first``
    and lie ``pitch`` words apart.
    """
    size = rows * columns
    builder.add(
        "VECTOR",
        [
            *in_planes(reads, first, count, pitch, size),
            writes("activations", output, output + size),
        ],
        f"{layer}: pack bits {part.shift}-{part.shift + part.bits - 1}, plane {plane}",
        operation=3,
        signed=0,
        planes=1,
        kernel_rows=count,
        kernel_columns=1,
        stride=1,
        in_rows=rows,
        in_columns=columns,
        pad_top=0,
        pad_left=0,
        out_rows=rows,
        out_columns=columns,
        input=first,
        second=pitch,
        output=output,
        parameters=0,
        low=0,
        high=0,
        room=part.room.bit_length() - 1,
        shift=part.shift,
        bits=part.bits,
        copies=part.copies.bit_length() - 1,
    )


def lower_packing(
    config: Config, builder: Builder, buffers: Buffers, layer: str, source: Tensor, to: Tensor
) -> list[Item]:
    """The pieces of packing ``source``, which is of bytes, to the slices of ``to``."""
    if not config.drain.pool:
        raise UserError(
            f"layer {layer}: its input must be packed, configuration {config.name} has "
            "drain.pool = false"
        )
    return _Packing(builder, buffers, layer, source, to).items()
