"""Outputs of a convolution packed for narrow modes where the drain has put them."""

from .convolution import Closing, Lowering
from .item import Need
from .kept import KeptMap
from .packing import add_pack
from .tensors import Region, Tensor

__all__ = ["pack_outputs"]


def pack_outputs(lowering: Lowering, to: Tensor) -> bool:
    """Pack what a layer computes to the slices of ``to`` as well, tile by tile, and store that.
    False, and nothing changed, if its blocks of channels do not fill whole planes of ``to``.
    """
    source = lowering.layer.output
    together = to.lanes // source.lanes
    for closing in lowering.closings:
        planes = closing.output.planes
        whole = planes.stop % together == 0 or planes.stop == source.planes
        if planes.start % together or not whole:
            return False
    # It may be read on chip, if what it is made of stays there.
    size = to.rows * to.columns
    kept = lowering.keep(to, size) if source in lowering.kept else None
    for closing in lowering.closings:
        _extend(lowering, closing, to, together, kept)
    return True


def _extend(
    lowering: Lowering, closing: Closing, to: Tensor, together: int, kept: KeptMap | None
) -> None:
    """Let the item that ends a tile's planes pack and store them."""
    item, tile, output = closing.item, closing.tile, closing.output
    builder, buffers, name = lowering.builder, lowering.buffers, lowering.layer.name
    inside = output.planes
    planes = range(inside.start // together, -(-inside.stop // together))
    parts = [
        range(n * to.slice_planes + planes.start, n * to.slice_planes + planes.stop)
        for n in range(len(to.slices))
    ]
    size, owner, compute = tile.positions, object(), item.compute
    shape = size // tile.across.size, tile.across.size
    pitch = lowering.emit.output_pitch(tile)
    packed_pitch = size if kept is None else kept.pitch
    at = [0] * len(parts)

    def room() -> None:
        if kept is None:
            every = buffers.activations.take(len(parts) * len(planes) * size, owner)
            at[:] = (every + number * len(planes) * size for number in range(len(parts)))
        else:
            kept.take(buffers)
            at[:] = (kept.at + kept.offset(part.start, tile.down.first) for part in parts)

    def pack() -> None:
        compute()
        for begin, part, bits in zip(at, parts, to.slices, strict=True):
            for n in range(len(planes)):
                count = min(together, len(inside) - n * together)
                first = output.at + n * together * pitch
                where = first, pitch, count, begin + n * packed_pitch
                add_pack(builder, name, bits, part[n], *where, *shape)
            lowering.copy_outputs("STORE", to, tile, begin, part, packed_pitch)

    item.needs.append(Need(None, room))
    item.writes += [Region(to, part, lowering.output_rows(to, tile)) for part in parts]
    item.frees.append(owner)
    item.compute = pack
    item.stores += len(parts) * len(planes) * size
