"""Pooling and addition to instructions of the vector unit."""

import numpy as np

from ..config import Config
from ..errors import UserError
from ..isa.packing import pack_records
from .item import Item, Need
from .layer import VectorLayer
from .memory import Buffers
from .program import Builder, reads, writes
from .spans import Span, spans
from .tensors import Region, Tensor
from .transfer import copy_tensor, load_constants

__all__ = ["lower_vector"]


def _tile(layer: VectorLayer, buffers: Buffers) -> tuple[int, int]:
    """Planes and output rows at a time: small pieces, that the next layer waits little for; all
    planes of few rows rather than few planes, for convolutions read all planes.
    """
    operands = 2 if layer.second is not None else 1

    def words(planes: int, rows: int) -> int:
        seen = min((rows - 1) * layer.stride + layer.kernel[0], layer.input.rows)
        return planes * (operands * seen * layer.input.columns + rows * layer.output.columns)

    planes, rows = layer.input.planes, layer.output.rows
    while words(planes, rows) > buffers.vector_words and rows > 1:
        rows = -(-rows // 2)
    while words(planes, rows) > buffers.vector_words and planes > 1:
        planes = -(-planes // 2)
    if words(planes, rows) > buffers.activations.size:
        raise UserError(
            f"layer {layer.name}: one output row needs {words(planes, rows)} words of the "
            f"activation buffer, {buffers.activations.size} are there; raise "
            "memory.activation_words"
        )
    return planes, rows


class _Lowering:
    """One layer of the vector unit."""

    def __init__(self, builder: Builder, buffers: Buffers, layer: VectorLayer):
        self.builder, self.buffers, self.layer = builder, buffers, layer
        if (own := layer.requantization) is not None:
            only = np.zeros(1, int)
            record = pack_records(channel=only, **own.records(only), **own.records(only, "base_"))
            self.offset = builder.constant(record, 32)

    def items(self) -> list[Item]:
        """A piece for each tile."""
        layer = self.layer
        planes, rows = _tile(layer, self.buffers)
        down = spans(
            layer.output.rows,
            rows,
            layer.kernel[0],
            layer.stride,
            layer.padding[0],
            layer.input.rows,
        )
        return [
            self._item(image, range(first, min(first + planes, layer.input.planes)), part)
            for image in range(layer.output.images)
            for part in down
            for first in range(0, layer.input.planes, planes)
        ]

    def _item(self, image: int, planes: range, down: Span) -> Item:
        layer, buffers = self.layer, self.buffers
        owner = object()
        in_words = len(planes) * down.seen * layer.input.columns
        out_words = len(planes) * down.size * layer.output.columns
        where: dict[str, int] = {}

        def record() -> None:
            where["record"], fresh = buffers.parameters.place(self.offset, 1, owner)
            if fresh:
                load_constants(
                    self.builder, layer.name, "parameters", where["record"], 1, self.offset
                )

        def room() -> None:
            where["output"] = buffers.activations.take(out_words, owner, end=True)

        def region(tensor: Tensor, first: int, last: int) -> Region:
            start = tensor.first_row(image)
            return Region(tensor, planes, range(start + first, start + last))

        def transfer(name: str, part: Region, at: int) -> None:
            columns = range(part.tensor.columns)
            copy_tensor(self.builder, name, layer.name, part.tensor, at, planes, part.rows, columns)

        def operand(name: str, tensor: Tensor) -> Need:
            part = region(tensor, down.low, down.high)

            def load() -> None:
                where[name] = buffers.activations.take(in_words, owner, end=True)
                transfer("LOAD", part, where[name])

            return Need(part, load, in_words)

        needs = [Need(None, room), operand("input", layer.input)]
        if layer.second is not None:
            needs.append(operand("second", layer.second))
        result = region(layer.output, down.first, down.last)

        def compute() -> None:
            self._instruction(planes, down, where, in_words, out_words)
            transfer("STORE", result, where["output"])

        taps = layer.kernel[0] * layer.kernel[1]
        least = layer.input.lanes if layer.operation else 1  # one requantizer works lane by lane
        return Item(
            layer.name,
            "vector",
            [record] if layer.operation else [],
            needs,
            compute,
            [result],
            [owner],
            cycles=out_words * max(taps, least),
            stores=out_words,
        )

    def _instruction(
        self, planes: range, down: Span, where: dict[str, int], in_words: int, out_words: int
    ) -> None:
        layer = self.layer
        inputs = [where[name] for name in ("input", "second") if name in where]
        what = ("maximum", "sum", "addition")[layer.operation]
        self.builder.add(
            "VECTOR",
            [
                *(reads("activations", at, at + in_words) for at in inputs),
                *([reads("parameters", where["record"])] if layer.operation else []),
                writes("activations", where["output"], where["output"] + out_words),
            ],
            f"{layer.name}: {what}, planes {planes.start}-{planes.stop - 1}, "
            f"rows {down.first}-{down.last - 1}",
            operation=layer.operation,
            signed=layer.input.signed,
            planes=len(planes),
            kernel_rows=layer.kernel[0],
            kernel_columns=layer.kernel[1],
            stride=layer.stride,
            in_rows=down.seen,
            in_columns=layer.input.columns,
            pad_top=down.pad,
            pad_left=layer.padding[2],
            out_rows=down.size,
            out_columns=layer.output.columns,
            input=inputs[0],
            second=inputs[-1],
            output=where["output"],
            parameters=where.get("record", 0),
            low=layer.low,
            high=layer.high,
        )


def lower_vector(
    config: Config, builder: Builder, buffers: Buffers, layer: VectorLayer
) -> list[Item]:
    """The pieces of ``layer``, for the scheduler."""
    if not config.drain.pool:
        raise UserError(
            f"layer {layer.name}: it needs the vector unit, configuration {config.name} has "
            "drain.pool = false"
        )
    return _Lowering(builder, buffers, layer).items()
