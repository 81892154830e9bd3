"""The cut of a layer into tiles, and the order of its work: estimated, the cheapest one taken."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..config import Config
from ..errors import UserError
from ..rtl.mac import facts
from .blocks import Block
from .layer import Convolution, How
from .memory import Buffers
from .segments import Limits, kinds_of_chunks
from .spans import Span, kinds_of_spans, spans
from .weights import spread_of

__all__ = [
    "ORDERS",
    "Plan",
    "Tile",
    "estimated_density",
    "pass_cycles",
    "plan_tiles",
    "planes_seen",
    "ranked_plans",
]

ORDERS = ("input", "weight", "output")
"""What stays on chip while the rest goes by: ``input``, the tile, for all blocks; ``weight``, the
block's weights, for all tiles; ``output``, only the sums: input planes and weights stream.
"""

LARGEST = 1023  # rows or columns that an instruction can tell
DENSITY = 0.25  # of gated layers that nobody has profiled
COPY_CYCLES = 30  # of a load or a store, beside its words
DRAIN_CYCLES = 30  # of a drain, beside its sums
CHUNK_CYCLES = 4  # of a chunk, beside its words of weights
MANY = 64  # tiles of a layer; fewer are none the better
PASS_CYCLES = 40  # of a pass of a gated layer, beside its chunks
CLOSE = 0.02  # part of the cycles of a layer that the estimate cannot tell
SHARED = 0.02  # of a unit's time that others cannot use
TILE_CYCLES = 150  # of a tile's block of a gated layer, beside its passes


@dataclass(frozen=True)
class Tile:
    """Output positions that are computed together: of one image, or whole images."""

    images: range
    down: Span
    across: Span

    @property
    def positions(self) -> int:
        """Output positions."""
        return len(self.images) * self.down.size * self.across.size


@dataclass(frozen=True)
class Plan:
    """How a layer is cut.

    ``stacked``: tiles are of whole images, one below the other. The streamer knows where an image
    ends, unless the input is ``copied``: each kernel row has a copy of its own then, shifted so
    that nobody sees the neighbour's rows.
    """

    order: str
    rows: int
    columns: int
    images: int
    stacked: bool
    copied: bool
    limits: Limits
    cycles: float = 0.0
    bytes: int = 0

    @property
    def tile(self) -> list[int]:
        """Rows and columns of a tile, behind its images if they are several."""
        return [*([self.images] if self.images > 1 else []), self.rows, self.columns]

    def _cuts(self, layer: Convolution) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """How rows and columns are cut, see :func:`hwgen.compiler.spans.spans`."""
        (height, width), stride, output = layer.weights.shape[2:], layer.stride, layer.output
        top, _, left, _ = layer.padding
        return (
            (output.rows, self.rows, height, stride, top, layer.input.rows),
            (output.columns, self.columns, width, stride, left, layer.input.columns),
        )

    def tiles(self, layer: Convolution) -> list[Tile]:
        """The tiles of a layer, in order."""
        down, across = (spans(*cut) for cut in self._cuts(layer))
        last = layer.output.images
        images = [range(n, min(n + self.images, last)) for n in range(0, last, self.images)]
        return [Tile(i, y, x) for i in images for y in down for x in across]

    def ends(self, layer: Convolution) -> tuple[Tile, Tile]:
        """The first tile and the last one."""
        down, across = (spans(*cut) for cut in self._cuts(layer))
        last = layer.output.images
        images = range(min(self.images, last)), range(last - 1 - (last - 1) % self.images, last)
        return Tile(images[0], down[0], across[0]), Tile(images[1], down[-1], across[-1])

    def kinds(self, layer: Convolution) -> list[tuple[Tile, int]]:
        """A tile of each size, with the number of tiles like it."""
        down, across = (kinds_of_spans(*cut) for cut in self._cuts(layer))
        whole, rest = divmod(layer.output.images, self.images)
        images = [(range(n), count) for n, count in ((self.images, whole), (rest, 1)) if n * count]
        return [(Tile(i, y, x), a * b * c) for i, a in images for y, b in down for x, c in across]

    def tiles_of(self, layer: Convolution) -> int:
        """How many tiles there are."""
        return sum(like_it for _, like_it in self.kinds(layer))

    def input_words(self, layer: Convolution, tile: Tile, planes: int) -> int:
        """Words of the activation buffer for ``planes`` planes of a tile's input: of all that its
        passes read, or of one pass where they come and go.
        """
        if not self.stacked:
            return planes * tile.down.seen * tile.across.seen
        rows = layer.output.rows * layer.stride
        copies = layer.weights.shape[2] if self.copied and self.order == "input" else 1
        return planes * copies * len(tile.images) * rows * layer.input.columns

    def loaded_words(self, layer: Convolution, tile: Tile, planes: int) -> float:
        """Words of these that are loaded: none of rows that no pass reads."""
        words, step, rows = self.input_words(layer, tile, planes), layer.row_step, tile.down.seen
        return words / step if self.stacked else words * -(-rows // step) / rows

    def words_read(self, layer: Convolution, planes: int) -> int:
        """Words of the activation buffer for ``planes`` planes of the input of two tiles, one of
        which is loaded while the other one is read.
        """
        tiles = self.kinds(layer)
        several = len(tiles) > 1 or tiles[0][1] > 1
        return max(self.input_words(layer, t, planes) for t, _ in tiles) * (2 if several else 1)

    def may_stay(self, layer: Convolution) -> bool:
        """Whether tiles are of whole rows of one image, so that the output can stay on chip."""
        return (
            layer.output.images == 1
            and self.order == "input"
            and self.columns == layer.output.columns
        )


def _even(size: int, most: int) -> list[int]:
    """Sizes up to ``most`` of equal parts of ``size``, from one part on."""
    sizes = {-(-size // -(-size // n)) for n in range(1, min(size, most) + 1)}
    return sorted(sizes, reverse=True)


def _repeats(config: Config, layer: Convolution) -> bool:
    """Whether the streamer can tell the images of a tile apart: it goes from one to the next by the
    rows of the output, and at most to the next in a step.
    """
    rows = layer.output.rows
    step = config.array.clusters // layer.output.columns
    return layer.input.rows == rows * layer.stride and step < rows


def _shapes(
    layer: Convolution, positions: int, *, stackable: bool
) -> Iterator[tuple[int, int, int]]:
    """Rows, columns and images of tiles of at most so many positions."""
    rows, columns = layer.output.rows, layer.output.columns
    if columns > positions:
        yield from ((1, part, 1) for part in _even(columns, positions))
        return
    for part in _even(rows, positions // columns):
        yield part, columns, 1
    yield from ((1, part, 1) for part in _even(columns, columns // 2))
    if layer.output.images > 1 and stackable:
        for images in _even(layer.output.images, positions // (rows * columns)):
            if images > 1:
                yield rows, columns, images


def planes_seen(blocks: list[Block]) -> range:
    """Input planes from the first to the last one that the blocks see."""
    low = min(min(block.planes) for block in blocks)
    return range(low, max(max(block.planes) for block in blocks) + 1)


def estimated_density(layer: Convolution) -> float:
    """Share of outputs whose conditional part is computed; 0 without a gate."""
    if layer.gate is None:
        return 0.0
    return DENSITY if layer.density is None else float(np.mean(layer.density))


def steps_of(config: Config, how: How) -> int:
    """Cycles of a row of dot products."""
    unit = facts(config)
    return unit.steps_in(unit.modes[how.mode])


def pass_cycles(
    config: Config, buffers: Buffers, share: int, slots: int, chunks: int, how: How, density: float
) -> float:
    """Cycles of the array for ``chunks`` chunks, with ``share`` positions a cluster; a conditional
    pass computes ``density`` of its outputs.
    """
    rows = share * slots * (density if how.conditional else 1.0)
    return chunks * max(rows * steps_of(config, how), buffers.chunk_words(slots) + CHUNK_CYCLES)


def _word_bytes(config: Config, layer: Convolution) -> float:
    """Bytes of memory that a word of weights takes, over all modes of the layer."""
    modes = [part.how.mode for part in layer.products]
    spreads = [spread_of(config, layer, mode) for mode in modes]
    parts = [1.0 if s is None else s.bits / s.room for s in spreads]
    return config.weight_word_bits / 8 * sum(parts) / len(parts)


class _Estimate:
    """Cycles and bytes of a layer, cut in some way."""

    def __init__(self, config: Config, buffers: Buffers, layer: Convolution, blocks: list[Block]):
        self.config, self.buffers, self.layer = config, buffers, layer
        # Blocks that cost the same, and how many they are.
        self.density = estimated_density(layer)
        self.blocks = Counter(
            (len(b.channels), b.slots, len(b.planes), kinds_of_chunks(layer, b.channels, b.planes))
            for b in blocks
        )
        self.last_channels = len(blocks[-1].channels)
        outputs = {block.outputs for block in blocks}
        self.outputs, self.runs = sum(map(len, outputs)), len(outputs)
        self.planes = len({p for block in blocks for p in block.planes})
        self.beat = config.bus.data_width // 8
        self.word = _word_bytes(config, layer)  # of weights, in memory
        self.weights = sum(
            count * sum(number for _, number in chunks) * buffers.chunk_words(slots)
            for (_, slots, _, chunks), count in self.blocks.items()
        )

    def __call__(self, plan: Plan) -> Plan:
        """The plan with its cycles and bytes."""
        layer, config = self.layer, self.config
        array = drain = loaded = stored = 0.0
        tiles = 0
        for tile, like_it in plan.kinds(layer):
            tiles += like_it
            share = -(-tile.positions // config.array.clusters)
            streamed = 0
            for (channels, slots, planes, chunks), count in self.blocks.items():
                count *= like_it
                for how, number in chunks:
                    array += count * pass_cycles(
                        config, self.buffers, share, slots, number, how, self.density
                    )
                passes = sum(number for _, number in chunks) / plan.limits.chunks
                if layer.gate is not None:
                    array += count * (TILE_CYCLES + PASS_CYCLES * passes)
                drain += count * (share * channels / config.drain.lanes + DRAIN_CYCLES)
                copies = layer.weights.shape[2] if plan.copied else 1
                streamed += count * copies * plan.loaded_words(layer, tile, planes)
            whole = like_it * plan.loaded_words(layer, tile, self.planes)
            loaded += whole if plan.order == "input" else streamed
            loaded += like_it * COPY_CYCLES
            made = like_it * self.outputs * tile.positions
            stored += made + like_it * self.runs * COPY_CYCLES
            loaded += 0 if layer.residual is None else made
        weights = self.weights
        if plan.order != "weight" and weights > config.memory.weight_words:
            weights *= tiles
        weight_bytes = weights * self.word
        size = (loaded + stored) * layer.input.word + weight_bytes
        # The load and the store unit move a word of activations a cycle.
        units = (
            array,
            drain,
            size / self.beat,
            loaded + weight_bytes / self.beat,
            stored,
        )
        cycles = max(units) + SHARED * sum(units)
        cycles += self._ends(plan) * plan.images / layer.output.images
        return replace(plan, cycles=cycles, bytes=round(size))

    def _ends(self, plan: Plan) -> float:
        """Cycles in which the array has nothing to do yet, or nothing any more: the first planes
        are loaded, the last tile is drained and stored. Other images of a batch fill them.
        """
        layer, config = self.layer, self.config
        first, last = plan.ends(layer)
        share = -(-last.positions // config.array.clusters)
        drained = share * self.last_channels / config.drain.lanes
        if layer.gate is not None:
            drained *= self.density
        words = plan.words_read(layer, self.planes) + layer.output.planes * layer.output.plane_words
        if plan.may_stay(layer) and words <= self.buffers.activations.size // 2:
            return drained
        taps = layer.weights.shape[2] * layer.weights.shape[3]
        planes = min(self.planes, max(1, plan.limits.chunks // taps))
        loaded = plan.loaded_words(layer, first, planes)
        return loaded + drained + last.positions * -(-self.last_channels // layer.output.lanes)


def plan_tiles(*arguments, **options) -> Plan:
    """The first one of :func:`ranked_plans`."""
    return ranked_plans(*arguments, **options)[0]


def ranked_plans(
    config: Config,
    buffers: Buffers,
    layer: Convolution,
    blocks: list[Block],
    order: str | None = None,
    reserve: int = 0,
) -> list[Plan]:
    """The plans that fit, the cheapest first by estimate. Of those that are as cheap as the first
    one but for what the estimate cannot tell, those of many tiles come last: other layers that work
    at the same time come between their loads and stores.

    ``order``: only plans of this one, ``reserve``: words of the activation buffer that something
    else will need meanwhile.

    Raises
    ------
    UserError
        If there is none.
    """
    array = config.array
    slots = max(block.slots for block in blocks)
    per_cluster = array.rows // slots
    if layer.gate is not None:
        per_cluster = min(per_cluster, config.positions_per_cluster)
    estimate = _Estimate(config, buffers, layer, blocks)
    chunks = max(1, buffers.segment_words // buffers.chunk_words(slots))
    size = buffers.activations.size
    wanted = [o for o in ORDERS if order in (None, o)]
    fits: dict[int, list[Plan]] = {}
    least = math.inf
    repeats = _repeats(config, layer)
    stackable = repeats or layer.stackable
    for shape in _shapes(layer, per_cluster * array.clusters, stackable=stackable):
        for own_order in wanted:
            for plan in _plans(layer, own_order, shape, chunks, repeats=repeats):
                if not _can_be_told(layer, plan):
                    continue
                words = _words(config, layer, blocks, plan)
                least = min(least, words[1])
                # Best beside what is reserved and the next tile; else as it is.
                needs = words[0] + reserve, words[0], words[1] + reserve, words[1]
                grade = next((g for g, need in enumerate(needs) if need <= size), None)
                if grade is not None:
                    fits.setdefault(grade, []).append(plan)
    if not fits:
        raise UserError(
            f"layer {layer.name}: one step needs {least} words of the activation buffer, {size} "
            "are there; raise memory.activation_words"
        )
    plans = sorted(map(estimate, fits[min(fits)]), key=lambda plan: plan.cycles)
    best = [plan for plan in plans if plan.cycles <= (1 + CLOSE) * plans[0].cycles]
    few_first = sorted(best, key=lambda plan: max(MANY, plan.tiles_of(layer)))
    return few_first + plans[len(best) :]


def _plans(layer, order, shape, chunks, *, repeats) -> Iterator[Plan]:
    """Plans of a tile shape, with the planes a pass may have."""
    stacked = shape[2] > 1
    copied = stacked and not repeats
    height, width = layer.weights.shape[2:]
    limits = Limits(chunks, kernel_rows=1 if copied else height)
    plan = Plan(order, *shape, stacked, copied, limits)
    if order == "input":
        yield plan
        return
    most = max(1, chunks // (width * limits.kernel_rows))
    planes = min(most, layer.input.planes)
    while planes:
        yield replace(plan, limits=replace(limits, planes=planes))
        planes //= 2


def _can_be_told(layer: Convolution, plan: Plan) -> bool:
    """Whether instructions have the bits for rows and columns of the tiles and of their inputs."""
    if plan.stacked:
        copied = plan.images * layer.output.rows * layer.stride
        seen = copied if plan.copied else layer.input.rows, layer.input.columns
    else:
        tiles = [tile for tile, _ in plan.kinds(layer)]
        seen = max(t.down.seen for t in tiles), max(t.across.seen for t in tiles)
    return max(*seen, plan.columns) <= LARGEST


def _words(config: Config, layer: Convolution, blocks: list[Block], plan: Plan) -> tuple[int, int]:
    """Words of the activation buffer: with room for the next tile, and without."""
    tiles = [tile for tile, _ in plan.kinds(layer)]
    # Planes of the output lie a few words further apart than they have positions.
    pitch = max(t.positions for t in tiles) + config.array.clusters - 1
    output = max(len(block.outputs) for block in blocks) * pitch
    planes = len(planes_seen(blocks))
    if plan.order != "input":
        planes = min(plan.limits.planes, planes)
    inside = max(plan.input_words(layer, tile, planes) for tile in tiles)
    more = 2 if plan.order == "input" else 3
    return more * inside + 2 * output, inside + output
