"""What the compiler needs to know of a layer, free of files and frameworks."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .tensors import Tensor

__all__ = ["EVERY_BIT", "Convolution", "Gate", "How", "Part", "Requantization", "VectorLayer"]

EVERY_BIT = 255  # of a byte


@dataclass(frozen=True)
class Requantization:
    """M, B, S for each output channel, and Mb where a residual is added."""

    multiplier: np.ndarray
    bias: np.ndarray
    shift: np.ndarray
    residual_multiplier: np.ndarray | None = None

    def records(self, channels: np.ndarray, prefix: str = "") -> dict[str, np.ndarray]:
        """The fields of the parameter records of ``channels``, named with ``prefix``."""
        residual = self.residual_multiplier
        return {
            prefix + "multiplier": self.multiplier[channels],
            prefix + "bias": self.bias[channels],
            prefix + "shift": self.shift[channels],
            prefix + "residual_multiplier": (
                np.zeros(len(channels), np.int64) if residual is None else residual[channels]
            ),
        }


@dataclass(frozen=True)
class Gate:
    """The decision of a gated layer.

    Channel gating: ``base`` tells for each output channel and input lane whether the product is in
    the base pass; None: all are. Precision gating: ``high_mask`` holds the activation bits of the
    base pass.
    """

    threshold: np.ndarray
    requantization: Requantization
    base: np.ndarray | None = None
    high_mask: int = EVERY_BIT


@dataclass(frozen=True)
class How:
    """How a pass multiplies: the fields of its instruction that say so."""

    mask: int = EVERY_BIT
    signed: bool = False
    conditional: bool = False
    mode: int = 0
    align: int = 0
    sum_shift: int = 0


@dataclass(frozen=True)
class Part:
    """Products of a layer that are made in the same way: the lanes ``planes`` of the input with
    ``weights`` (output, lane, kernel row, kernel column), but only the ``chosen`` (output, lane).
    """

    how: How
    planes: range
    weights: np.ndarray
    chosen: np.ndarray

    def seen(self, lanes: int) -> np.ndarray:
        """(output, plane): whether the output sees the plane, which has so many lanes."""
        return self.chosen.reshape(len(self.chosen), -1, lanes).any(axis=2)


@dataclass(frozen=True)
class Convolution:
    """A convolution with everything that is fused into it, in terms of input *lanes*.

    A lane is a place for a channel in the input tensor; there are planes * R of them. ``channels``
    tells where output channel k lies in the output tensor, and its residual in the residual tensor.
    """

    name: str
    input: Tensor
    output: Tensor
    channels: np.ndarray
    weights: np.ndarray  # (out, lanes, kernel rows, kernel columns), zero where `sees` is False
    sees: np.ndarray  # (out, lanes): which inputs an output depends on
    requantization: Requantization
    low: int
    high: int
    stride: int = 1
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  # top, bottom, left, right
    gate: Gate | None = None
    residual: Tensor | None = None
    density: np.ndarray | None = None  # expected share of fired outputs per channel, for dealing
    parts: tuple[Part, ...] | None = None  # if not simply those of the gate, see `products`

    @cached_property
    def products(self) -> tuple[Part, ...]:
        """All products, those of the base pass first."""
        if self.parts is not None:
            return self.parts
        gate, found = self.gate, []

        def add(mask: int, chosen: np.ndarray, *, conditional: bool) -> None:
            if mask and chosen.any():
                signed = self.input.signed and bool(mask & 128)
                how = How(mask, signed, conditional)
                found.append(Part(how, range(self.input.slice_planes), self.weights, chosen))

        if gate is None:
            add(EVERY_BIT, self.sees, conditional=False)
            return tuple(found)
        base = self.sees if gate.base is None else gate.base
        add(gate.high_mask, base, conditional=False)
        add(EVERY_BIT & ~gate.high_mask, base, conditional=True)
        add(EVERY_BIT, self.sees & ~base, conditional=True)
        return tuple(found)

    @property
    def row_step(self) -> int:
        """One of so many input rows is read, if not all are."""
        return self.stride if self.weights.shape[2] == 1 and self.padding[0] == 0 else 1

    @property
    def stackable(self) -> bool:
        """Whether the gaps of the input have all the zeros that an image sees around itself."""
        top, height = self.padding[0], self.weights.shape[2]
        below = (self.output.rows - 1) * self.stride + height - top - self.input.rows
        return max(top, below) <= self.input.gap


@dataclass(frozen=True)
class VectorLayer:
    """Pooling or addition. ``operation`` 0 maximum, 1 sum, 2 addition of ``second``."""

    name: str
    operation: int
    input: Tensor
    output: Tensor
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    second: Tensor | None = None
    requantization: Requantization | None = None  # of one channel; all channels share it
    low: int = 0
    high: int = 0
