"""How the network's input lies in memory.

A plane holds R channels, an image has one or three: most lanes would multiply zeros. So kernel taps
are folded into the lanes of a convolution that reads the input: whoever writes the image to memory
puts the pixels that the taps see side by side.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .layer import Convolution, Gate
from .tensors import Tensor

__all__ = ["InputArea", "Packing", "foldings"]


@dataclass(frozen=True)
class Packing:
    """An image of ``channels`` x ``rows`` x ``columns`` as ``tensor``.

    Lane ``(y * fold[1] + x) * channels + c`` of word (row, column) is pixel (row * step + y - top,
    column * step + x - left) of channel c, or 0 outside of the image; ``top`` and ``left`` are
    ``pad``.
    """

    tensor: Tensor
    channels: int
    rows: int
    columns: int
    fold: tuple[int, int] = (1, 1)
    step: int = 1
    pad: tuple[int, int] = (0, 0)

    @property
    def plain(self) -> bool:
        """Whether it is the image as it is."""
        return self.fold == (1, 1)

    def pack(self, images: np.ndarray) -> bytes:
        """The bytes of an image, or of a batch with its number in front."""
        if self.plain:
            return self.tensor.pack(images)
        shape = (self.channels, self.rows, self.columns)
        batch = images.reshape(-1, *shape)
        height, width = (
            (size - 1) * self.step + fold
            for size, fold in zip((self.tensor.rows, self.tensor.columns), self.fold, strict=True)
        )
        # All taps of all words lie inside of this.
        room = np.zeros((len(batch), self.channels, height + self.rows, width + self.columns), int)
        top, left = self.pad
        room[..., top : top + self.rows, left : left + self.columns] = batch
        taps = [
            room[..., y : y + height : self.step, x : x + width : self.step][
                ..., : self.tensor.rows, : self.tensor.columns
            ]
            for y in range(self.fold[0])
            for x in range(self.fold[1])
        ]
        folded = np.concatenate(taps, axis=1)
        return self.tensor.pack(folded if self.tensor.images > 1 else folded[0])


def foldings(layer: Convolution, channels: int) -> Iterator[tuple[Packing, Convolution]]:
    """Ways to fold the taps of ``layer``, which reads an image of ``channels`` channels, with the
    convolution that is left; the first way leaves all as it is.

    With a step that divides the stride, a direction either folds all taps, or as many as the step
    has rows (columns): the taps that are left are then neighbours again.
    """
    source, kernel = layer.input, layer.weights.shape[2:]
    plain = Packing(source, channels, source.rows, source.columns)
    yield plain, layer
    outputs = layer.output.rows, layer.output.columns
    for step in (s for s in range(1, layer.stride + 1) if layer.stride % s == 0):
        stride = layer.stride // step
        for rows in sorted({step, kernel[0]}):
            for columns in sorted({step, kernel[1]}):
                fold = (rows, columns)
                if fold == (1, 1):
                    continue
                left = [1 if f == k else -(-k // step) for f, k in zip(fold, kernel, strict=True)]
                size = [(n - 1) * stride + k for n, k in zip(outputs, left, strict=True)]
                tensor = replace(
                    source,
                    channels=channels * rows * columns,
                    rows=size[0],
                    columns=size[1],
                    gap=0,
                )
                pad = (layer.padding[0], layer.padding[2])
                packing = replace(plain, tensor=tensor, fold=fold, step=step, pad=pad)
                yield packing, _folded(layer, packing, left, stride)


def _folded(layer: Convolution, packing: Packing, kernel: list[int], stride: int) -> Convolution:
    channels, (rows, columns), step = packing.channels, packing.fold, packing.step
    lanes = packing.tensor.places
    weights = np.zeros((len(layer.weights), lanes, *kernel), np.int8)
    old = layer.weights[:, :channels]
    for y in range(rows):
        for x in range(columns):
            taps = old[:, :, y::step, x::step][:, :, : kernel[0], : kernel[1]]
            first = (y * columns + x) * channels
            weights[:, first : first + channels, : taps.shape[2], : taps.shape[3]] = taps

    def spread(mask: np.ndarray) -> np.ndarray:
        wide = np.zeros((len(mask), lanes), bool)
        wide[:, : rows * columns * channels] = np.tile(mask[:, :channels], rows * columns)
        return wide

    gate = layer.gate
    if gate is not None and gate.base is not None:
        gate = Gate(gate.threshold, gate.requantization, spread(gate.base), gate.high_mask)
    return replace(
        layer,
        input=packing.tensor,
        weights=weights,
        sees=spread(layer.sees),
        stride=stride,
        padding=(0, 0, 0, 0),
        gate=gate,
    )


class InputArea:
    """The memory behind the input's base register: the packings that layers have asked for."""

    def __init__(self, beat: int):
        self._beat = beat
        self.packings: list[Packing] = []
        self.bytes = 0

    def place(self, packing: Packing) -> Packing:
        """The packing with its place; equal ones share it."""
        for known in self.packings:
            if packing == replace(
                known, tensor=replace(known.tensor, offset=packing.tensor.offset)
            ):
                return known
        placed = replace(packing, tensor=replace(packing.tensor, offset=self.bytes))
        self.packings.append(placed)
        # Bursts like to begin at a beat.
        self.bytes += -(-placed.tensor.bytes // self._beat) * self._beat
        return placed

    def pack(self, images: np.ndarray) -> bytes:
        """The bytes of the area for an image, or for a batch with its number in front."""
        data = bytearray(self.bytes)
        for packing in self.packings:
            at = packing.tensor.offset
            data[at : at + packing.tensor.bytes] = packing.pack(images)
        return bytes(data)
