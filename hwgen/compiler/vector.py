"""Pooling and addition to instructions of the vector unit."""

import numpy as np

from ..config import Config
from ..errors import UserError
from ..isa.packing import pack_records
from .layer import Requantization, VectorLayer
from .memory import Buffers
from .program import Builder, reads, writes
from .spans import spans
from .transfer import copy_tensor, load_constants

__all__ = ["lower_vector"]

# Operation 0 does not requantize; the record is never read.
IDENTITY = Requantization(np.ones(1, int), np.zeros(1, int), np.ones(1, int))


def _tile(layer: VectorLayer, buffers: Buffers) -> tuple[int, int]:
    """Planes and output rows at a time: all rows of as many planes as fit, else fewer rows of one plane."""
    operands = 2 if layer.second is not None else 1

    def words(planes: int, rows: int) -> int:
        seen = min((rows - 1) * layer.stride + layer.kernel[0], layer.input.rows)
        return planes * (operands * seen * layer.input.columns + rows * layer.output.columns)

    planes, rows = layer.input.planes, layer.output.rows
    while words(planes, rows) > buffers.tile_words and planes > 1:
        planes = -(-planes // 2)
    while words(planes, rows) > buffers.tile_words and rows > 1:
        rows = -(-rows // 2)
    if words(planes, rows) > buffers.tile_words:
        raise UserError(
            f"{layer.name}: one output row needs {words(planes, rows)} words of the activation buffer, "
            f"{buffers.tile_words} are there; raise memory.activation_words"
        )
    return planes, rows


def lower_vector(config: Config, builder: Builder, buffers: Buffers, layer: VectorLayer) -> None:
    """Append the instructions of ``layer`` to ``builder``."""
    if not config.drain.pool:
        raise UserError(
            f"{layer.name}: configuration {config.name} has drain.pool = false, no vector unit"
        )
    own = layer.requantization or IDENTITY
    only = np.zeros(1, int)
    offset = builder.constant(
        pack_records(channel=only, **own.records(only), **own.records(only, "base_")), 32
    )
    planes, rows = _tile(layer, buffers)
    top, _, left, _ = layer.padding
    tensors = [layer.input] + ([layer.second] if layer.second is not None else [])
    columns_in, columns_out = range(layer.input.columns), range(layer.output.columns)
    for first in range(0, layer.input.planes, planes):
        part = range(first, min(first + planes, layer.input.planes))
        for down in spans(
            layer.output.rows, rows, layer.kernel[0], layer.stride, top, layer.input.rows
        ):
            rows_in = range(down.low, down.high)
            in_words = len(part) * down.seen * layer.input.columns
            out_words = len(part) * down.size * layer.output.columns
            at = []
            for tensor in tensors:
                at.append(buffers.activations.take(in_words))
                copy_tensor(builder, "LOAD", layer.name, tensor, at[-1], part, rows_in, columns_in)
            record, fresh = buffers.parameters.place(offset, 1)
            if fresh:
                load_constants(builder, layer.name, "parameters", record, 1, offset)
            output = buffers.activations.take(out_words)
            builder.add(
                "VECTOR",
                [
                    *(reads("activations", a, a + in_words) for a in at),
                    reads("parameters", record),
                    writes("activations", output, output + out_words),
                ],
                f"{layer.name}: {('maximum', 'sum', 'addition')[layer.operation]}, planes {part.start}-{part.stop - 1}, "
                f"rows {down.first}-{down.last - 1}",
                operation=layer.operation,
                signed=layer.input.signed,
                planes=len(part),
                kernel_rows=layer.kernel[0],
                kernel_columns=layer.kernel[1],
                stride=layer.stride,
                in_rows=down.seen,
                in_columns=layer.input.columns,
                pad_top=down.pad,
                pad_left=left,
                out_rows=down.size,
                out_columns=layer.output.columns,
                input=at[0],
                second=at[-1],
                output=output,
                parameters=record,
                low=layer.low,
                high=layer.high,
            )
            copy_tensor(
                builder,
                "STORE",
                layer.name,
                layer.output,
                output,
                part,
                range(down.first, down.last),
                columns_out,
            )
