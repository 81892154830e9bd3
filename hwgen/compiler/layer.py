"""What the compiler needs to know of a layer, free of files and frameworks."""

from dataclasses import dataclass

import numpy as np

from .tensors import Tensor

__all__ = ["Convolution", "Gate", "Requantization", "VectorLayer"]


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
    the base pass, and ``high_mask`` is 255. Precision gating: ``base`` is None and ``high_mask``
    holds the activation bits of the base pass.
    """

    threshold: np.ndarray
    requantization: Requantization
    base: np.ndarray | None = None
    high_mask: int = 255


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
