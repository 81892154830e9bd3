"""The cut of a layer into tiles, and the order of its work: estimated, the cheapest one taken."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..config import Config
from ..errors import UserError
from .blocks import Block
from .layer import Convolution
from .memory import Buffers
from .segments import Limits, base_chunks
from .spans import Span, spans

__all__ = [
    "ORDERS",
    "Plan",
    "Tile",
    "estimated_density",
    "pass_cycles",
    "plan_tiles",
    "planes_seen",
]

ORDERS = ("input", "weight", "output")
"""What stays on chip while the rest goes by: ``input``, the tile, for all blocks; ``weight``, the
block's weights, for all tiles; ``output``, only the sums: input planes and weights stream.
"""

DENSITY = 0.25  # of gated layers that nobody has profiled
PASS_CYCLES = 40  # of a pass, beside its chunks
TILE_CYCLES = 150  # of a tile's block, beside its passes


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

    ``stacked``: tiles are of whole images, one below the other. A kernel row then has its own copy
    of the input, so that nobody sees the neighbour's rows.
    """

    order: str
    rows: int
    columns: int
    images: int
    stacked: bool
    limits: Limits
    cycles: float = 0.0
    bytes: int = 0

    def tiles(self, layer: Convolution) -> list[Tile]:
        """The tiles of a layer, in order."""
        kernel, stride = layer.weights.shape[2:], layer.stride
        top, _, left, _ = layer.padding
        down = spans(layer.output.rows, self.rows, kernel[0], stride, top, layer.input.rows)
        across = spans(
            layer.output.columns, self.columns, kernel[1], stride, left, layer.input.columns
        )
        last = layer.output.images
        images = [range(n, min(n + self.images, last)) for n in range(0, last, self.images)]
        return [Tile(i, y, x) for i in images for y in down for x in across]

    def input_words(self, layer: Convolution, tile: Tile, planes: int) -> int:
        """Words of the activation buffer for ``planes`` planes of a tile's input: of all that its
        passes read, or of one pass where they come and go.
        """
        if not self.stacked:
            return planes * tile.down.seen * tile.across.seen
        rows = layer.output.rows * layer.stride
        copies = layer.weights.shape[2] if self.order == "input" else 1
        return planes * copies * len(tile.images) * rows * layer.input.columns


def _even(size: int, most: int) -> list[int]:
    """Sizes up to ``most`` of equal parts of ``size``, from one part on."""
    sizes = {-(-size // -(-size // n)) for n in range(1, min(size, most) + 1)}
    return sorted(sizes, reverse=True)


def _shapes(layer: Convolution, positions: int) -> Iterator[tuple[int, int, int]]:
    """Rows, columns and images of tiles of at most so many positions."""
    rows, columns = layer.output.rows, layer.output.columns
    if columns > positions:
        yield from ((1, part, 1) for part in _even(columns, positions))
        return
    for part in _even(rows, positions // columns):
        yield part, columns, 1
    yield from ((1, part, 1) for part in _even(columns, columns // 2))
    if layer.output.images > 1 and layer.stackable:
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


def pass_cycles(
    config: Config, buffers: Buffers, share: int, slots: int, chunks: int, density: float
) -> float:
    """Cycles of the array for ``chunks`` chunks, with ``share`` positions a cluster."""
    interval = 1 if config.array.mac == "parallel" else config.array.activation_bits
    return chunks * max(share * slots * interval * density, buffers.chunk_words(slots))


class _Estimate:
    """Cycles and bytes of a layer, cut in some way."""

    def __init__(self, config: Config, buffers: Buffers, layer: Convolution, blocks: list[Block]):
        self.config, self.buffers, self.layer, self.blocks = config, buffers, layer, blocks
        self.chunks = [base_chunks(layer, b.channels, b.planes) for b in blocks]
        self.density = estimated_density(layer)
        self.beat = config.bus.data_width // 8

    def weight_words(self) -> int:
        """Words of the weights of all blocks."""
        return sum(
            (base + rest) * self.buffers.chunk_words(block.slots)
            for block, (base, rest) in zip(self.blocks, self.chunks, strict=True)
        )

    def __call__(self, plan: Plan) -> Plan:
        """The plan with its cycles and bytes."""
        layer, clusters = self.layer, self.config.array.clusters
        tiles = plan.tiles(layer)
        array = drain = loaded = 0.0
        outputs = {block.outputs for block in self.blocks}
        planes = sorted({p for block in self.blocks for p in block.planes})
        for tile in tiles:
            share = -(-tile.positions // clusters)
            for block, (base, rest) in zip(self.blocks, self.chunks, strict=True):
                for chunks, density in ((base, 1.0), (rest, self.density)):
                    array += pass_cycles(
                        self.config, self.buffers, share, block.slots, chunks, density
                    )
                array += TILE_CYCLES + PASS_CYCLES * (base + rest) / plan.limits.chunks
                drain += share * len(block.channels) / self.config.drain.lanes
                if plan.order != "input":
                    copies = layer.weights.shape[2] if plan.stacked else 1
                    loaded += copies * plan.input_words(layer, tile, len(block.planes))
            if plan.order == "input":
                loaded += plan.input_words(layer, tile, len(planes))
            made = sum(len(o) for o in outputs) * tile.positions
            loaded += made * (1 if layer.residual is None else 2)
        weights = self.weight_words()
        if plan.order != "weight" and weights > self.config.memory.weight_words:
            weights *= len(tiles)
        size = loaded * layer.input.lanes + weights * self.config.weight_word_bits / 8
        cycles = max(array, drain, size / self.beat) + 0.02 * (size / self.beat + drain + array)
        return replace(plan, cycles=cycles, bytes=round(size))


def plan_tiles(
    config: Config,
    buffers: Buffers,
    layer: Convolution,
    blocks: list[Block],
    order: str | None = None,
    reserve: int = 0,
) -> Plan:
    """The cheapest plan that fits; ``order``: only plans of this one, ``reserve``: words of the
    activation buffer that something else will need meanwhile.

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
    for rows, columns, images in _shapes(layer, per_cluster * array.clusters):
        for own_order in wanted:
            for plan in _plans(layer, own_order, rows, columns, images, chunks):
                words = _words(layer, blocks, plan)
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
    return min(map(estimate, fits[min(fits)]), key=lambda plan: plan.cycles)


def _plans(layer, order, rows, columns, images, chunks) -> Iterator[Plan]:
    """Plans of a tile shape, with the planes a pass may have."""
    stacked = images > 1
    height, width = layer.weights.shape[2:]
    limits = Limits(chunks, kernel_rows=1 if stacked else height)
    plan = Plan(order, rows, columns, images, stacked, limits)
    if order == "input":
        yield plan
        return
    most = max(1, chunks // (width * limits.kernel_rows))
    planes = min(most, layer.input.planes)
    while planes:
        yield replace(plan, limits=replace(limits, planes=planes))
        planes //= 2


def _words(layer: Convolution, blocks: list[Block], plan: Plan) -> tuple[int, int]:
    """Words of the activation buffer: with room for the next tile, and without."""
    tile = max(plan.tiles(layer), key=lambda t: (t.positions, t.down.seen * t.across.seen))
    output = max(len(block.outputs) for block in blocks) * tile.positions
    planes = len(planes_seen(blocks))
    if plan.order == "input":
        inside = plan.input_words(layer, tile, planes)
        return 2 * (inside + output), inside + output
    inside = plan.input_words(layer, tile, min(plan.limits.planes, planes))
    return 3 * inside + 2 * output, inside + output
