"""Convolutions to instructions: what a tile loads, computes and stores."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..config import Config
from ..errors import UserError
from ..isa.packing import pack_records
from .blocks import Block, blocks_of
from .constants import Constants, Segment
from .item import Item, Need
from .kept import KeptMap
from .layer import EVERY_BIT, Convolution
from .memory import Buffers
from .passes import PassEmitter, Place, map_pitch
from .program import Builder
from .segments import Limits, Taps, segments, split_first
from .tensors import Region, Tensor
from .tiles import Plan, Tile, estimated_density, pass_cycles, plan_tiles, planes_seen
from .transfer import clear_gaps, copy_images, copy_tensor, load_constants
from .weights import Spread, dense, pack_chunks, pack_thresholds, spread_of

__all__ = ["Closing", "Lowering", "lower_convolution"]

DEPARTED = 1 << 31  # the gate leaves minus this in place of a sum that has become a task


@dataclass(frozen=True)
class Closing:
    """The item that stores ``output`` of a tile."""

    item: Item
    tile: Tile
    output: Place


@dataclass
class _Input:
    """The input of a tile in the activation buffer: planes that are there already."""

    owner: object
    base: int = 0
    planes: range = range(0)
    loaded: set[tuple[int, int]] = field(default_factory=set)  # (kernel row of the copy, plane)


class Lowering:
    """One convolution on one configuration.

    ``order`` forces the order of work, ``reserve`` leaves words of the activation buffer to others.
    ``before`` is the layer whose items stand before this one's: if it keeps this one's input in the
    activation buffer, that is read there. ``plan`` is how the layer is cut; without it, as is
    cheapest by estimate. ``begins``: nothing stands before it, so its first weights are waited for.
    """

    def __init__(
        self,
        config: Config,
        builder: Builder,
        buffers: Buffers,
        layer: Convolution,
        order: str | None = None,
        reserve: int = 0,
        before: "Lowering | None" = None,
        plan: Plan | None = None,
        *,
        begins: bool = False,
    ):
        self.config, self.builder, self.buffers, self.layer = config, builder, buffers, layer
        self.begins = begins
        if layer.gate is not None and not config.array.gated:
            raise UserError(
                f"layer {layer.name}: it is gated, configuration {config.name} has "
                "array.gated = false"
            )
        largest = EVERY_BIT * int(np.abs(layer.weights.astype(np.int64)).sum(axis=(1, 2, 3)).max())
        if layer.gate is not None and largest >= DEPARTED:
            raise UserError(
                f"layer {layer.name}: sums of a gated layer must stay below 2^31 in size, "
                f"not reach {largest}"
            )
        if layer.residual is not None and not config.drain.residual:
            raise UserError(
                f"layer {layer.name}: it adds a residual, configuration {config.name} has "
                "drain.residual = false"
            )
        self.blocks = blocks_of(config, layer)
        self.plan = plan or plan_tiles(config, buffers, layer, self.blocks, order, reserve)
        self.emit = PassEmitter(config, builder, layer, self.plan)
        modes = {part.how.mode for part in layer.products}
        self._spread = {mode: spread_of(config, layer, mode) for mode in modes}
        self.last: Item | None = None
        self.closings: list[Closing] = []
        # The input, if it has stayed on chip; the output, if it may stay for the next layer.
        self.resident = self._resident(before)
        self.kept: dict[Tensor, KeptMap] = {}
        self.keep(layer.output, map_pitch(config, layer.output))
        if self.kept:
            self.emit.output_map = self.kept[layer.output]

    def _resident(self, before: "Lowering | None") -> KeptMap | None:
        """The input, if ``before`` keeps it and it can be read there."""
        layer, plan = self.layer, self.plan
        found = None if before is None else before.kept.get(layer.input)
        seen = plan.tiles(layer)[0].across
        if (
            found is None
            or not plan.may_stay(layer)
            or seen.low > 0
            or seen.seen < layer.input.columns
        ):
            return None
        before.last.frees.remove(found.owner)
        self.emit.input_map = found
        return found

    def keep(self, tensor: Tensor, pitch: int) -> KeptMap | None:
        """Keep what the layer computes on chip, as ``tensor``, if that may be: whole rows of a map
        so small that it and what the layer reads leave half of the activation buffer to another.
        """
        if not self.plan.may_stay(self.layer):
            return None
        if self.resident is not None:
            inside = self.resident.words
        else:
            inside = self.plan.words_read(self.layer, len(planes_seen(self.blocks)))
        found = KeptMap(tensor, pitch)
        words = inside + found.words + sum(other.words for other in self.kept.values())
        if words > self.buffers.activations.size // 2:
            return None
        self.kept[tensor] = found
        if self.last is not None:
            self.last.frees.append(found.owner)
        return found

    def segments(self, block: Block, limits: Limits) -> list[Taps]:
        """The passes of a block."""
        return segments(self.layer, block.channels, block.planes, limits)

    # Constants

    def _segments(self, block: Block) -> list[Segment]:
        config, gate = self.config, self.layer.gate
        word = config.weight_word_bits // 8
        all_taps = self.segments(block, self.plan.limits)
        if self.begins and block is self.blocks[0]:
            all_taps = split_first(all_taps)
        result = []
        for number, taps in enumerate(all_taps):
            data = pack_chunks(config, taps.weights, block.slots, taps.how.mode)
            spread = self._spread[taps.how.mode]
            thresholds = gate is not None and number == 0
            constants = []
            if thresholds:
                head = pack_thresholds(config, gate.threshold[block.channels], block.slots)
                if spread is None:
                    data = head + data
                else:
                    constants.append(self._constants(head, len(head) // word))
            words = len(data) // word
            if spread is not None:
                data = dense(config, data, spread)
            constants.append(self._constants(data, words, spread))
            last_base = number + 1 == len(all_taps) or all_taps[number + 1].how.conditional
            gates = gate is not None and not taps.how.conditional and last_base
            result.append(Segment(taps, tuple(constants), thresholds, gates))
        return result

    def _constants(self, data: bytes, words: int, spread: Spread | None = None) -> Constants:
        config = self.config
        align = max(config.weight_word_bits // 8, config.bus.data_width // 8)
        return Constants(words, self.builder.constant(data, align), len(data), spread)

    def _records(self, block: Block) -> int:
        """Offset of the block's constants of the drain, one record a slot."""
        layer = self.layer
        base = layer.gate.requantization if layer.gate is not None else layer.requantization
        first = block.outputs.start * layer.output.lanes
        data = pack_records(
            channel=layer.channels[block.channels] - first,
            **layer.requantization.records(block.channels),
            **base.records(block.channels, "base_"),
        )
        return self.builder.constant(data, 32)

    # Items

    def items(self) -> list[Item]:
        """The whole layer, in pieces that the scheduler emits."""
        tiles = self.plan.tiles(self.layer)
        passes = [self._segments(block) for block in self.blocks]
        self.builder.expect(self.layer.name, len(tiles) * sum(map(len, passes)))
        records = [self._records(block) for block in self.blocks]
        groups = [n for n, block in enumerate(self.blocks) if block.opens] + [len(self.blocks)]
        runs = [range(a, b) for a, b in zip(groups, groups[1:], strict=False)]
        result = []
        if (
            self.plan.copied
            and self.layer.input.gap
            and self.layer.input.base == self.layer.output.base
        ):
            result.append(self._gaps())
        if self.plan.order == "weight":
            for run in runs:
                for tile in tiles:
                    result += self._tile(tile, run, passes, records, first=tile is tiles[0])
        else:
            every = range(len(self.blocks))
            for tile in tiles:
                result += self._tile(tile, every, passes, records, first=tile is tiles[0])
        if self.resident is not None:
            result[-1].frees.append(self.resident.owner)
        self.last = result[-1]
        self.last.frees += [kept.owner for kept in self.kept.values()]
        return result

    def _gaps(self) -> Item:
        """Zeros between the images of the input."""
        layer, owner, where = self.layer, object(), {}
        words = layer.input.gap * layer.input.columns
        offset = self.builder.constant(bytes(words * layer.input.word), 32)

        def load() -> None:
            at = where["zeros"] = self.buffers.activations.take(words, owner)
            load_constants(self.builder, layer.name, "activations", at, words, offset)

        def compute() -> None:
            clear_gaps(self.builder, layer.name, layer.input, where["zeros"])

        every = Region(layer.input, range(layer.input.planes), range(layer.input.plane_rows))
        return Item(layer.name, "array", [], [Need(None, load)], compute, [every], [owner])

    def _tile(
        self, tile: Tile, run: range, passes: list, records: list, *, first: bool
    ) -> Iterator[Item]:
        """An item for each pass of the blocks ``run`` of a tile."""
        whole = _Input(object()) if self.plan.order == "input" else None
        for number in run:
            block = self.blocks[number]
            if block.opens:
                output = Place(object(), block.outputs)
            parameters = Place(object())
            for index, segment in enumerate(passes[number]):
                last = index + 1 == len(passes[number])
                source = whole or _Input(object())
                weights = Place(object())
                constants = [self._weight_loader(weights, segment)]
                needs = list(self._input_loaders(source, tile, segment.taps))
                drains = segment.gate or (last and self.layer.gate is None)
                if drains:
                    constants.append(self._record_loader(parameters, block, records[number]))
                if drains and block.opens:
                    needs.append(self._output_room(output, tile))
                frees = [weights.owner]
                if whole is None or (last and number + 1 == run.stop):
                    frees.append(source.owner)
                stores = []
                if last:
                    frees.append(parameters.owner)
                    if block.closes:
                        frees.append(output.owner)
                        stores.append(self._region(self.layer.output, tile, output.planes))

                def compute(
                    block=block,
                    index=index,
                    segment=segment,
                    last=last,
                    source=source,
                    weights=weights,
                    parameters=parameters,
                    output=output,
                    number=number,
                ) -> None:
                    if index == 0:
                        self.buffers.next_bank()
                    bank = self.buffers.bank
                    self.emit.a_pass(
                        tile,
                        block,
                        number,
                        segment,
                        source.base,
                        source.planes,
                        weights.at,
                        bank,
                        first=index == 0,
                        clear=first and number == 0,
                    )
                    if segment.gate:
                        self.emit.drain(tile, block, number, 1, 1 - bank, parameters.at, output)
                    if last:
                        kind = 2 if self.layer.gate is not None else 0
                        self.emit.drain(tile, block, number, kind, bank, parameters.at, output)
                        if block.closes:
                            self._store(tile, output)

                item = Item(
                    self.layer.name,
                    "array",
                    constants,
                    needs,
                    compute,
                    stores,
                    frees,
                    joins=index > 0 or (whole is not None and number > run.start),
                    begins=index == 0,
                    gate=segment.gate,
                    **self._costs(tile, block, segment, output, last=last),
                )
                if last and block.closes:
                    self.closings.append(Closing(item, tile, output))
                yield item

    def _costs(self, tile: Tile, block: Block, segment: Segment, output: Place, *, last: bool):
        """What the item of a segment takes, see :class:`Item`."""
        config, gated = self.config, self.layer.gate is not None
        density = estimated_density(self.layer)
        share = -(-tile.positions // config.array.clusters)
        outputs = share * len(block.channels) / config.drain.lanes
        stored = len(output.planes) * tile.positions
        return {
            "weights": (segment.key, sum(part.size for part in segment.constants)),
            "cycles": pass_cycles(
                config,
                self.buffers,
                share,
                block.slots,
                len(segment.taps.weights),
                segment.taps.how,
                density,
            ),
            "finished": outputs * (1 - density) if segment.gate else 0.0,
            "drained": outputs * (density if gated else 1.0) if last else 0.0,
            "stores": stored if last and block.closes else 0,
        }

    # Loads and stores

    def _weight_loader(self, place: Place, segment: Segment) -> Callable[[], None]:
        def load() -> None:
            ring = self.buffers.weights
            place.at, fresh = ring.place(segment.key, segment.words, place.owner)
            at = place.at
            for part in segment.constants if fresh else ():
                where = at, part.words, part.offset, part.spread
                load_constants(self.builder, self.layer.name, "weights", *where)
                at += part.words

        return load

    def _record_loader(self, place: Place, block: Block, offset: int) -> Callable[[], None]:
        def load() -> None:
            words = len(block.channels)
            place.at, fresh = self.buffers.parameters.place(offset, words, place.owner)
            if fresh:
                load_constants(self.builder, self.layer.name, "parameters", place.at, words, offset)

        return load

    def _rows(self, tensor: Tensor, tile: Tile, rows: range) -> range:
        """Rows of an image as rows of the planes of a tensor, from the tile's first image on."""
        first, last = (tensor.first_row(i) for i in (tile.images[0], tile.images[-1]))
        return range(first + rows.start, last + rows.stop)

    def _region(self, tensor: Tensor, tile: Tile, planes: range) -> Region:
        return Region(tensor, planes, self.output_rows(tensor, tile))

    def _input_loaders(self, source: _Input, tile: Tile, taps: Taps) -> Iterator[Need]:
        """Room for the planes that a pass reads, and what of them is not there yet."""
        layer, plan = self.layer, self.plan
        if (resident := self.resident) is not None:
            source.planes = range(layer.input.planes)

            def find() -> None:
                source.base = resident.at + resident.offset(0, tile.down.low)

            rows = range(tile.down.low, tile.down.high)
            yield Need(Region(layer.input, taps.planes, rows), find)
            return
        if not source.planes:
            source.planes = planes_seen(self.blocks) if plan.order == "input" else taps.planes
            words = plan.input_words(layer, tile, len(source.planes))

            def room() -> None:
                source.base = self.buffers.activations.take(words, source.owner)

            yield Need(None, room)
        copies = taps.kernel_rows if plan.copied else range(1)
        for copy in copies:
            for planes in _missing(source.loaded, copy, taps.planes):
                yield self._input_loader(source, tile, copy, planes)

    def _input_loader(self, source: _Input, tile: Tile, copy: int, planes: range) -> Need:
        layer = self.layer

        def place() -> int:
            return source.base + self.emit.plane_offset(tile, source.planes, planes.start, copy)

        if not self.plan.stacked:
            rows = self._rows(layer.input, tile, range(tile.down.low, tile.down.high))
            columns = range(tile.across.low, tile.across.high)

            step = layer.row_step

            def load() -> None:
                where = layer.input, place(), planes, rows, columns
                copy_tensor(self.builder, "LOAD", layer.name, *where, step=step)

            size = len(planes) * -(-len(rows) // step) * len(columns)
            return Need(Region(layer.input, planes, rows), load, size)
        rows = range(layer.input.rows)
        if self.plan.copied:  # of each image those that one row of the kernel meets
            start = copy - layer.padding[0]
            rows = range(start, start + (layer.output.rows - 1) * layer.stride + 1)
        pitch = layer.output.rows * layer.stride

        def load_copy() -> None:
            where = layer.input, place(), planes, tile.images, rows, pitch
            copy_images(self.builder, "LOAD", layer.name, *where)

        region = Region(layer.input, planes, self._rows(layer.input, tile, rows))
        size = len(planes) * len(tile.images) * len(rows) * layer.input.columns
        return Need(region, load_copy, size)

    def output_rows(self, tensor: Tensor, tile: Tile) -> range:
        """Rows of the planes of a tensor that a tile computes."""
        return self._rows(tensor, tile, range(tile.down.first, tile.down.last))

    def copy_outputs(
        self, name: str, tensor: Tensor, tile: Tile, at: int, planes: range, pitch: int
    ) -> None:
        """LOAD or STORE what a tile computes; its ``planes`` lie from ``at`` on, ``pitch`` words
        apart.
        """
        rows, columns = (range(span.first, span.last) for span in (tile.down, tile.across))
        where = self.builder, name, self.layer.name, tensor, at, planes
        if len(tile.images) > 1:
            copy_images(*where, tile.images, rows, len(rows), pitch)
        else:
            copy_tensor(*where, self._rows(tensor, tile, rows), columns, pitch)

    def _output_room(self, output: Place, tile: Tile) -> Need:
        """Room for the output; the residual lies there until a sum takes its place."""
        residual = self.layer.residual
        pitch = self.emit.output_pitch(tile)
        kept = self.kept.get(self.layer.output)

        def load() -> None:
            if kept is None:
                words = len(output.planes) * pitch
                output.at = self.buffers.activations.take(words, output.owner)
            else:
                kept.take(self.buffers)
                output.at = kept.at + kept.offset(output.planes.start, tile.down.first)
            if residual is not None:
                self.copy_outputs("LOAD", residual, tile, output.at, output.planes, pitch)

        if residual is None:
            return Need(None, load)
        region = self._region(residual, tile, output.planes)
        return Need(region, load, len(output.planes) * tile.positions)

    def _store(self, tile: Tile, output: Place) -> None:
        pitch = self.emit.output_pitch(tile)
        where = tile, output.at, output.planes, pitch
        self.copy_outputs("STORE", self.layer.output, *where)


def _missing(loaded: set, copy: int, planes: range) -> Iterator[range]:
    """Runs of planes that are not in ``loaded``; they are put there."""
    run = None
    for plane in planes:
        if (copy, plane) in loaded:
            if run is not None:
                yield run
            run = None
            continue
        loaded.add((copy, plane))
        run = range(plane if run is None else run.start, plane + 1)
    if run is not None:
        yield run


def lower_convolution(
    config: Config,
    builder: Builder,
    buffers: Buffers,
    layer: Convolution,
    order: str | None = None,
    reserve: int = 0,
) -> list[Item]:
    """The pieces of ``layer``, for the scheduler."""
    return Lowering(config, builder, buffers, layer, order, reserve).items()
