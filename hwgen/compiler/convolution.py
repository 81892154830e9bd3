"""Convolutions to instructions: tiles of positions, blocks of channels, segments of weights."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..config import Config
from ..errors import UserError
from ..isa.packing import pack_records
from .layer import Convolution
from .memory import Buffers
from .pipeline import Item
from .program import Builder, reads, writes
from .spans import Span, spans
from .tensors import Tensor
from .transfer import copy_tensor, load_constants
from .weights import pack_chunks, pack_thresholds

__all__ = ["Lowering", "Taps", "lower_convolution"]

FULL_MASK = 255


@dataclass(frozen=True)
class Taps:
    """Planes and kernel taps that one PASS covers, with the weights that belong to them."""

    planes: range
    kernel_rows: range
    kernel_columns: range
    mask: int
    conditional: bool
    weights: np.ndarray  # (chunk, slot, lane)


@dataclass(frozen=True)
class Part:
    """Output channels that need the same input planes, in both passes: all, unless the convolution
    has groups.
    """

    channels: np.ndarray
    planes: list[int]


def parts(layer: Convolution) -> list[Part]:
    """Put output channels together that can share a block."""
    lanes = layer.input.lanes

    def planes(mask: np.ndarray) -> np.ndarray:
        return mask.reshape(len(mask), -1, lanes).any(axis=2)

    seen = planes(layer.sees)
    base = seen if layer.gate is None or layer.gate.base is None else planes(layer.gate.base)
    found: dict[bytes, list[int]] = {}
    for channel in range(len(seen)):
        found.setdefault(seen[channel].tobytes() + base[channel].tobytes(), []).append(channel)
    return [Part(np.array(c), np.flatnonzero(seen[c[0]]).tolist()) for c in found.values()]


def _runs(planes: list[int]) -> Iterator[range]:
    """Consecutive planes as ranges."""
    start = None
    for i, plane in enumerate(planes):
        start = plane if start is None else start
        if i + 1 == len(planes) or planes[i + 1] != plane + 1:
            yield range(start, plane + 1)
            start = None


class Lowering:
    """One convolution on one configuration."""

    def __init__(self, config: Config, builder: Builder, buffers: Buffers, layer: Convolution):
        self.config, self.builder, self.buffers, self.layer = config, builder, buffers, layer
        self.kernel = layer.weights.shape[2:]
        if layer.gate is not None and not config.array.gated:
            raise UserError(
                f"layer {layer.name}: it is gated, configuration {config.name} has "
                "array.gated = false"
            )

    # Which work in which pass

    def segments(self, part: Part, block: np.ndarray, slots: int) -> list[Taps]:
        """The passes of a block in order; those of the gate come before the conditional ones."""
        layer, gate = self.layer, self.layer.gate
        weights = layer.weights[block]
        if gate is None:
            return self._cover(weights, part.planes, slots, FULL_MASK, conditional=False)
        if gate.base is None:
            low_mask = FULL_MASK & ~gate.high_mask
            base = self._cover(weights, part.planes, slots, gate.high_mask, conditional=False)
            rest = self._cover(weights, part.planes, slots, low_mask, conditional=True)
            return self._split_last(base) + rest
        chosen, other = gate.base[block], layer.sees[block] & ~gate.base[block]

        def planes(mask: np.ndarray) -> list[int]:
            per_plane = mask.any(axis=0).reshape(-1, layer.input.lanes).any(axis=1)
            return [p for p in part.planes if per_plane[p]]

        def only(mask: np.ndarray) -> np.ndarray:
            return weights * mask[:, :, None, None].astype(np.int8)

        base = self._cover(only(chosen), planes(chosen), slots, FULL_MASK, conditional=False)
        rest = self._cover(only(other), planes(other), slots, FULL_MASK, conditional=True)
        return self._split_last(base) + rest

    def _chunks(
        self, weights: np.ndarray, planes: range, rows: range, columns: range
    ) -> np.ndarray:
        lanes = self.layer.input.lanes
        picked = weights.reshape(len(weights), -1, lanes, *self.kernel)[
            :, planes.start : planes.stop
        ]
        picked = picked[..., rows.start : rows.stop, columns.start : columns.stop]
        # (slot, plane, lane, row, column) -> (plane, row, column, slot, lane)
        return picked.transpose(1, 3, 4, 0, 2).reshape(-1, len(weights), lanes)

    def _cover(
        self, weights, planes: list[int], slots: int, mask: int, *, conditional: bool
    ) -> list[Taps]:
        rows, columns = (range(k) for k in self.kernel)
        chunk_words = self.buffers.chunk_words(slots)
        per_plane = len(rows) * len(columns) * chunk_words
        room = self.buffers.segment_words
        result = []
        for run in _runs(planes):
            if per_plane <= room:
                step = room // per_plane
                for first in range(run.start, run.stop, step):
                    part = range(first, min(first + step, run.stop))
                    result.append((part, rows, columns))
                continue
            # A plane's taps do not fit a segment: cut the kernel by rows, then by columns.
            by_row = max(1, room // (len(columns) * chunk_words))
            by_column = (
                len(columns) if by_row > 1 else min(len(columns), max(1, room // chunk_words))
            )
            for plane in run:
                for y in range(0, len(rows), by_row):
                    for x in range(0, len(columns), by_column):
                        part = (
                            range(y, min(y + by_row, len(rows))),
                            range(x, min(x + by_column, len(columns))),
                        )
                        result.append((range(plane, plane + 1), *part))
        return [
            Taps(p, y, x, mask, conditional, self._chunks(weights, p, y, x)) for p, y, x in result
        ]

    @staticmethod
    def _split_last(base: list[Taps]) -> list[Taps]:
        """Cut the last tap off: the gate is a pass of its own, so that only it waits for the tasks
        of the tile before.
        """
        *front, last = base
        pieces = []

        def piece(planes, rows, columns, chunks):
            if len(planes) and len(rows) and len(columns):
                pieces.append(Taps(planes, rows, columns, last.mask, False, last.weights[chunks]))

        rows, columns = last.kernel_rows, last.kernel_columns
        per_row, per_plane = len(columns), len(rows) * len(columns)
        start = (len(last.planes) - 1) * per_plane
        plane = last.planes[-1:]
        piece(last.planes[:-1], rows, columns, slice(0, start))
        piece(plane, rows[:-1], columns, slice(start, start + per_plane - per_row))
        piece(
            plane,
            rows[-1:],
            columns[:-1],
            slice(start + per_plane - per_row, start + per_plane - 1),
        )
        piece(plane, rows[-1:], columns[-1:], slice(start + per_plane - 1, start + per_plane))
        return front + pieces

    # Tiles

    def tile_shape(self, slots: int) -> tuple[int, int]:
        """Rows and columns of the largest tile that the accumulators and the activation buffer
        hold.
        """
        layer, array = self.layer, self.config.array
        per_cluster = array.rows // slots
        if layer.gate is not None:
            per_cluster = min(per_cluster, self.config.positions_per_cluster)
        positions = per_cluster * array.clusters
        columns = min(layer.output.columns, positions)
        rows = min(layer.output.rows, positions // columns)
        while self._tile_words(rows, columns) > self.buffers.tile_words:
            if rows > 1:
                rows -= 1
            elif columns > 1:
                columns -= 1
            else:
                raise UserError(
                    f"layer {layer.name}: one output position needs {self._tile_words(1, 1)} "
                    "words of the activation buffer, "
                    f"{self.buffers.tile_words} are there; raise memory.activation_words"
                )
        # Even tiles: as many as needed, none much smaller than the others.
        rows = -(-layer.output.rows // -(-layer.output.rows // rows))
        columns = -(-layer.output.columns // -(-layer.output.columns // columns))
        return rows, columns

    def _tile_words(self, rows: int, columns: int) -> int:
        layer = self.layer
        seen = [
            min((n - 1) * layer.stride + k, size)
            for n, k, size in zip(
                (rows, columns), self.kernel, (layer.input.rows, layer.input.columns), strict=True
            )
        ]
        words = layer.input.planes * seen[0] * seen[1] + layer.output.planes * rows * columns
        if layer.residual is not None:
            words += layer.residual.planes * rows * columns
        return words

    # Instructions

    def items(self) -> list[Item]:
        """The whole layer, in pieces that the scheduler emits."""
        layer, array = self.layer, self.config.array
        self.blocks = []
        self.plans = []
        for part in parts(layer):
            size = array.engines * array.slots
            count = -(-len(part.channels) // size)
            each = -(-len(part.channels) // (count * array.engines)) * array.engines
            for first in range(0, len(part.channels), each):
                block = self._deal(part.channels[first : first + each])
                slots = -(-len(block) // array.engines)
                self.blocks.append((block, slots))
                self.plans.append(self._plan(part, block, slots))
        slots = max(s for _, s in self.blocks)
        rows, columns = self.tile_shape(slots)
        top, _, left, _ = layer.padding
        down = spans(layer.output.rows, rows, self.kernel[0], layer.stride, top, layer.input.rows)
        across = spans(
            layer.output.columns, columns, self.kernel[1], layer.stride, left, layer.input.columns
        )
        self._records()
        return [item for y in down for x in across for item in self._tile(y, x)]

    def _deal(self, block: np.ndarray) -> np.ndarray:
        """Order of a block's channels over the slots: the densest go to the least loaded group that
        has room.
        """
        density = self.layer.density
        groups = self.config.groups
        if self.layer.gate is None or density is None or groups == 1:
            return block
        per_group = self.config.array.group * -(-len(block) // self.config.array.engines)
        if len(block) != per_group * groups:
            return block
        load, members = np.zeros(groups), [[] for _ in range(groups)]
        for channel in block[np.argsort(-density[block], kind="stable")]:
            open_groups = [g for g in range(groups) if len(members[g]) < per_group]
            group = min(open_groups, key=lambda g: load[g])
            members[group].append(channel)
            load[group] += density[channel]
        return np.concatenate([np.array(m, block.dtype) for m in members])

    def _plan(self, part: Part, block: np.ndarray, slots: int):
        """Segments of a block with their constants: (taps, words, offset of the constants, has
        thresholds).
        """
        config, builder = self.config, self.builder
        plan = []
        for number, taps in enumerate(self.segments(part, block, slots)):
            data = pack_chunks(config, taps.weights, slots)
            thresholds = self.layer.gate is not None and number == 0
            if thresholds:
                data = pack_thresholds(config, self.layer.gate.threshold[block], slots) + data
            word = config.weight_word_bits // 8
            align = max(word, config.bus.data_width // 8)
            plan.append((taps, len(data) // word, builder.constant(data, align), thresholds))
        return plan

    def _records(self) -> None:
        """Constants of the drain, one record a slot of each block."""
        layer = self.layer
        self.record_offsets = []
        for block, _ in self.blocks:
            base = layer.gate.requantization if layer.gate is not None else layer.requantization
            data = pack_records(
                channel=layer.channels[block],
                **layer.requantization.records(block),
                **base.records(block, "base_"),
            )
            self.record_offsets.append(self.builder.constant(data, 32))

    def _tile(self, down: Span, across: Span) -> Iterator[Item]:
        """An item for each segment of weights of a tile."""
        layer = self.layer
        where: dict[object, int] = {}
        tile = object()  # owner of its ranges of the activation buffer
        for number, plan in enumerate(self.plans):
            block = object()  # owner of its parameters
            for index, segment in enumerate(plan):
                key = object()  # owner of its weights, and where they lie
                constants = [self._loader(where, key, segment)]
                if index == 0:
                    constants.append(self._record_loader(where, block, number))
                tensors = []
                if number == index == 0:
                    tensors = list(self._tile_loaders(where, tile, down, across))
                last = number + 1 == len(self.plans) and index + 1 == len(plan)
                frees = [key] + [block] * (index + 1 == len(plan)) + [tile] * last
                compute = self._computer(down, across, number, index, segment, key, where, last)
                writes = layer.output if last else None
                yield Item(layer.name, constants, tensors, compute, writes, frees)

    def _loader(self, where: dict, key: object, segment):
        def load() -> None:
            _, words, offset, _ = segment
            where[key], fresh = self.buffers.weights.place(offset, words, key)
            if fresh:
                load_constants(self.builder, self.layer.name, "weights", where[key], words, offset)

        return load

    def _record_loader(self, where: dict, owner: object, number: int):
        def load() -> None:
            words, offset = len(self.blocks[number][0]), self.record_offsets[number]
            where[number], fresh = self.buffers.parameters.place(offset, words, owner)
            if fresh:
                load_constants(
                    self.builder, self.layer.name, "parameters", where[number], words, offset
                )

        return load

    def _tile_loaders(self, where: dict, tile: object, down: Span, across: Span):
        layer, ring = self.layer, self.buffers.activations

        def copy(tensor: Tensor, name: str, rows: range, columns: range):
            def load() -> None:
                where[name] = ring.take(tensor.planes * len(rows) * len(columns), tile)
                planes = range(tensor.planes)
                at = where[name]
                copy_tensor(self.builder, "LOAD", layer.name, tensor, at, planes, rows, columns)

            return load

        def room() -> None:
            where["output"] = ring.take(layer.output.planes * down.size * across.size, tile)

        yield None, room
        rows, columns = range(down.low, down.high), range(across.low, across.high)
        yield layer.input, copy(layer.input, "input", rows, columns)
        if layer.residual is not None:
            rows, columns = range(down.first, down.last), range(across.first, across.last)
            yield layer.residual, copy(layer.residual, "residual", rows, columns)

    def _computer(self, down, across, number, index, segment, key, where, last):
        plan = self.plans[number]

        def compute() -> None:
            if index == 0:
                self.buffers.next_bank()
            gate = self._is_gate(plan, index)
            self._pass(down, across, number, index, segment, where[key], where["input"], gate)
            if gate:
                self._drain(down, across, number, 1, where)
            if index + 1 == len(plan):
                self._drain(down, across, number, 2 if self.layer.gate is not None else 0, where)
            if last:
                self._store(down, across, where["output"])

        return compute

    def _diagonal(self, width: int) -> int:
        """Turn once a row or so, if every cluster would otherwise keep its columns."""
        clusters = self.config.array.clusters
        return (width // clusters).bit_length() if clusters > 1 and width % clusters == 0 else 0

    def _is_gate(self, plan: list, index: int) -> bool:
        """Whether this segment is the last one of the base part."""
        last_base = index + 1 == len(plan) or plan[index + 1][0].conditional
        return self.layer.gate is not None and not plan[index][0].conditional and last_base

    def _pass(
        self,
        down: Span,
        across: Span,
        number: int,
        index: int,
        segment,
        weights: int,
        buffer: int,
        gate: bool,
    ) -> None:
        taps, words, _, thresholds = segment
        layer, clusters = self.layer, self.config.array.clusters
        slots = self.blocks[number][1]
        bank = self.buffers.bank
        plane_words = down.seen * across.seen
        pad_top = down.pad - taps.kernel_rows.start
        pad_left = across.pad - taps.kernel_columns.start
        first_word = buffer + taps.planes.start * plane_words
        accesses = [
            reads("activations", first_word, first_word + len(taps.planes) * plane_words),
            reads("weights", weights, weights + words),
            writes("bank", bank),
        ]
        if gate:
            accesses += [writes("bank", 1 - bank), writes("tasks"), writes("decisions")]
        part = "gate" if gate else "base" if layer.gate is not None else "dense"
        kind = "conditional" if taps.conditional else part
        self.builder.add(
            "PASS",
            accesses,
            f"{layer.name}: {kind} pass, block {number}, "
            f"planes {taps.planes.start}-{taps.planes.stop - 1}",
            first=index == 0,
            thresholds=thresholds,
            gate=gate,
            conditional=taps.conditional,
            bank=bank,
            signed=layer.input.signed and bool(taps.mask & 128),
            # What software reads behind a program are the counts of its last gated layer.
            clear_counts=gate and number == 0 and down.first == across.first == 0,
            mask=taps.mask,
            slots=slots,
            positions=down.size * across.size,
            width=across.size,
            step_rows=clusters // across.size,
            step_columns=clusters % across.size,
            diagonal=self._diagonal(across.size),
            planes=len(taps.planes),
            kernel_rows=len(taps.kernel_rows),
            kernel_columns=len(taps.kernel_columns),
            stride=layer.stride,
            in_rows=down.seen,
            in_columns=across.seen,
            pad_top=pad_top,
            pad_left=pad_left,
            input=first_word,
            input_plane_stride=plane_words,
            weights=weights,
            chunks=len(taps.weights),
        )

    def _drain(self, down: Span, across: Span, number: int, source: int, where: dict) -> None:
        layer = self.layer
        block, slots = self.blocks[number]
        positions = down.size * across.size
        # A gate leaves the finished sums in the bank that it did not compute in.
        bank = 1 - self.buffers.bank if source == 1 else self.buffers.bank
        output = where["output"]
        accesses = [
            reads("bank", bank),
            reads("parameters", where[number], where[number] + len(block)),
            writes("activations", output, output + layer.output.planes * positions),
        ]
        if source:
            accesses.append(reads("decisions" if source == 1 else "tasks"))
        residual = where.get("residual", 0)
        if layer.residual is not None:
            accesses.append(
                reads("activations", residual, residual + layer.residual.planes * positions)
            )
        self.builder.add(
            "DRAIN",
            accesses,
            f"{layer.name}: drain {('all', 'finished', 'tasks')[source]}, block {number}",
            bank=bank,
            source=source,
            slots=slots,
            positions=positions,
            diagonal=self._diagonal(across.size),
            channels=len(block),
            output=output,
            output_plane_stride=positions,
            parameters=where[number],
            residual=layer.residual is not None,
            residual_signed=layer.residual is not None and layer.residual.signed,
            residual_input=residual,
            low=layer.low,
            high=layer.high,
        )

    def _store(self, down: Span, across: Span, output: int) -> None:
        layer = self.layer
        rows, columns = range(down.first, down.last), range(across.first, across.last)
        copy_tensor(
            self.builder,
            "STORE",
            layer.name,
            layer.output,
            output,
            range(layer.output.planes),
            rows,
            columns,
        )


def lower_convolution(
    config: Config, builder: Builder, buffers: Buffers, layer: Convolution
) -> list[Item]:
    """The pieces of ``layer``, for the scheduler."""
    return Lowering(config, builder, buffers, layer).items()
