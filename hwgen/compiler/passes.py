"""PASS and DRAIN instructions of a tile."""

from dataclasses import dataclass

from ..config import Config
from ..rtl.mac import facts
from .blocks import Block
from .kept import KeptMap
from .layer import Convolution, How
from .program import Builder, Decided, in_planes, reads, writes
from .tensors import Tensor
from .tiles import Plan, Tile

__all__ = ["PassEmitter", "Place", "map_pitch"]


@dataclass
class Place:
    """A range of a buffer: ``owner`` has taken it ``at`` a word, perhaps for ``planes``."""

    owner: object
    planes: range = range(0)
    at: int = 0


def _pitch(config: Config, positions: int) -> int:
    """Words from plane to plane of so many output positions. The drains work position by position:
    all planes of a position are in one bank of the buffer, so that they do not get into each
    other's way.
    """
    return positions + -positions % config.array.clusters


def map_pitch(config: Config, tensor: Tensor) -> int:
    """Words from plane to plane of a map that stays on chip."""
    return _pitch(config, tensor.rows * tensor.columns)


class PassEmitter:
    """Adds the array's and the drain's instructions of one layer to a program."""

    def __init__(self, config: Config, builder: Builder, layer: Convolution, plan: Plan):
        self.config, self.builder, self.layer, self.plan = config, builder, layer, plan
        # Where input and output lie if they are whole maps that stay on chip.
        self.input_map: KeptMap | None = None
        self.output_map: KeptMap | None = None

    def plane_offset(self, tile: Tile, planes: range, plane: int, copy: int) -> int:
        """Words from the begin of an input tile of ``planes`` to one of them, in the copy of a
        kernel row.
        """
        first = copy * len(planes) if self.plan.copied and self.plan.order == "input" else 0
        return (first + plane - planes.start) * self._input_pitch(tile)

    def _input_pitch(self, tile: Tile) -> int:
        """Words from plane to plane of an input tile."""
        if self.input_map is not None:
            return self.input_map.pitch
        return self._rows(tile) * self._columns(tile)

    def _rows(self, tile: Tile) -> int:
        """Rows of an input tile in the buffer."""
        if self.plan.stacked:
            return len(tile.images) * self.layer.output.rows * self.layer.stride
        return tile.down.seen

    def _columns(self, tile: Tile) -> int:
        """Columns of an input tile in the buffer; images of a stack come with all of theirs."""
        return self.layer.input.columns if self.plan.stacked else tile.across.seen

    def _diagonal(self, width: int) -> int:
        """Turn once a row or so, if every cluster would otherwise keep its columns."""
        clusters = self.config.array.clusters
        return (width // clusters).bit_length() if clusters > 1 and width % clusters == 0 else 0

    def _mode(self, how: How) -> str:
        """Widths of a pass for the listing, and what its sums are worth, if that can differ."""
        unit = facts(self.config)
        if len(unit.modes) == 1 and not how.sum_shift:
            return ""
        worth = f" << {how.sum_shift}" if how.sum_shift else ""
        return f" {unit.modes[how.mode]}{worth}"

    def output_pitch(self, tile: Tile) -> int:
        """Words from plane to plane of an output tile."""
        if self.output_map is not None:
            return self.output_map.pitch
        return _pitch(self.config, tile.positions)

    def a_pass(
        self,
        tile: Tile,
        block: Block,
        number: int,
        segment,
        buffer: int,
        planes: range,
        weights: int,
        bank: int,
        *,
        first: bool,
        clear: bool,
    ) -> None:
        """The PASS of a segment; the input tile of ``planes`` lies at ``buffer``."""
        taps, layer, clusters = segment.taps, self.layer, self.config.array.clusters
        stacked, copied = self.plan.stacked, self.plan.copied
        rows, columns = self._rows(tile), self._columns(tile)
        pitch = self._input_pitch(tile)
        copy = taps.kernel_rows.start if copied else 0
        at = buffer + self.plane_offset(tile, planes, taps.planes.start, copy)
        accesses = [
            *in_planes(reads, at, len(taps.planes), pitch, rows * columns),
            reads("weights", weights, weights + segment.words),
            writes("bank", bank),
        ]
        if segment.gate:
            accesses += [writes("bank", 1 - bank), writes("tasks"), writes("decisions")]
        part = "gate" if segment.gate else "base" if layer.gate is not None else "dense"
        kind = "conditional" if taps.how.conditional else part
        step = self.builder.add(
            "PASS",
            accesses,
            f"{layer.name}: {kind} pass{self._mode(taps.how)}, block {number}, "
            f"planes {taps.planes.start}-{taps.planes.stop - 1}",
            first=first,
            thresholds=segment.thresholds,
            gate=segment.gate,
            conditional=taps.how.conditional,
            bank=bank,
            signed=taps.how.signed,
            # What software reads behind a program are the counts of its last gated layer.
            clear_counts=segment.gate and clear,
            mask=taps.how.mask,
            slots=block.slots,
            positions=tile.positions,
            width=tile.across.size,
            step_rows=clusters // tile.across.size,
            step_columns=clusters % tile.across.size,
            diagonal=self._diagonal(tile.across.size),
            planes=len(taps.planes),
            kernel_rows=len(taps.kernel_rows),
            kernel_columns=len(taps.kernel_columns),
            stride=layer.stride,
            in_rows=layer.input.rows if stacked and not copied else rows,
            in_columns=columns,
            images=stacked and not copied,
            pad_top=0 if copied else tile.down.pad - taps.kernel_rows.start,
            pad_left=tile.across.pad - taps.kernel_columns.start,
            input=at,
            input_plane_stride=pitch,
            weights=weights,
            chunks=len(taps.weights),
            mode=taps.how.mode,
            align=taps.how.align,
            sum_shift=taps.how.sum_shift,
        )
        if segment.gate:
            rows, columns = (range(s.first, s.last) for s in (tile.down, tile.across))
            step.decided = Decided(layer.name, block.channels, tile.images, rows, columns)

    def drain(
        self,
        tile: Tile,
        block: Block,
        number: int,
        source: int,
        bank: int,
        parameters: int,
        output: Place,
    ) -> None:
        """A DRAIN of the block's sums in ``bank`` into ``output``."""
        layer, positions, pitch = self.layer, tile.positions, self.output_pitch(tile)
        residual = layer.residual is not None
        accesses = [
            reads("bank", bank),
            reads("parameters", parameters, parameters + len(block.channels)),
            *in_planes(writes, output.at, len(output.planes), pitch, positions),
        ]
        if source:
            accesses.append(reads("decisions" if source == 1 else "tasks"))
        self.builder.add(
            "DRAIN",
            accesses,
            f"{layer.name}: drain {('all', 'finished', 'tasks')[source]}, block {number}",
            bank=bank,
            source=source,
            slots=block.slots,
            positions=positions,
            diagonal=self._diagonal(tile.across.size),
            channels=len(block.channels),
            output=output.at,
            output_plane_stride=pitch,
            parameters=parameters,
            residual=residual,
            residual_signed=residual and layer.residual.signed,
            residual_input=output.at if residual else 0,
            low=layer.low,
            high=layer.high,
        )
