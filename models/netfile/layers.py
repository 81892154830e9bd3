"""The layers of an integer network, as data: the one definition that files, checks and readers
share.

Every class here is a frozen pydantic model, so its fields are at the same time the Python
interface, the JSON of the file and the JSON schema that is checked on load
(:func:`models.netfile.json_schema`). Tensors are referred to by name;
:class:`models.netfile.Network` holds them.
"""

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Add",
    "AvgPool",
    "ChannelGate",
    "Concat",
    "Conv",
    "Edge",
    "Flatten",
    "Gate",
    "GlobalAvgPool",
    "Graph",
    "Input",
    "Layer",
    "Limits",
    "Linear",
    "MaxPool",
    "Output",
    "Parameters",
    "PrecisionGate",
    "Shuffle",
    "Split",
    "weight_type",
]

Size = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.\-]*$", max_length=120)]
Bits = Annotated[int, Field(ge=1, le=16)]
Pair = tuple[Size, Size]
Sides = tuple[Count, Count, Count, Count]


def weight_type(bits: int) -> type:
    """Type of an array of weights of so many bits."""
    return np.int8 if bits <= 8 else np.int16


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Edge(_Model):
    """What flows out of a layer: ``shape`` is (channels, height, width) of one image.

    ``scale`` is the real value of one integer step. It only tells a person, or the next exporter,
    what the integers mean; nothing that computes reads it.

    One signed bit is -1 or 1: there is no zero. Whoever requantizes to such an edge gets 1 where
    the result is at least one, otherwise -1; convolutions that read it pad with -1.
    """

    shape: tuple[Size, Size, Size]
    bits: Bits
    signed: bool
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @property
    def bipolar(self) -> bool:
        """Whether the edge carries -1 and 1 and nothing else."""
        return self.signed and self.bits == 1

    @property
    def lo(self) -> int:
        """Smallest integer the edge can carry."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        """Largest integer the edge can carry."""
        if self.bipolar:
            return 1
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def size(self) -> int:
        """Integers of one image."""
        return math.prod(self.shape)


class Parameters(_Model):
    """Names of the requantization tensors, one integer per output channel each.

    ``y = clamp((acc * M + b * Mb + B + (1 << (S - 1))) >> S, lo, hi)``; the term of ``b`` is there
    exactly when ``Mb`` is.
    """

    M: Name
    B: Name
    S: Name
    Mb: Name | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors referred to."""
        return tuple(name for name in (self.M, self.B, self.S, self.Mb) if name is not None)


class ChannelGate(_Model):
    """The base pass does some input channels, the conditional pass the others.

    The output channels form ``len(starts)`` equal runs; the base of run ``g`` is the ``count``
    consecutive channels from ``starts[g]``, counted along the second axis of the weight (within the
    group's own inputs if the convolution is grouped). One start of 0 means "the first channels";
    ``starts = 0, n, 2n, …`` gives each run its own. An output fires when ``base_acc > theta``,
    strictly; it is then requantized with the layer's parameters, and with ``base`` otherwise.

    With ``high_bits`` the base has only the high bits of its channels, as with a precision gate;
    the conditional pass does their low bits and the other channels.
    """

    kind: Literal["channel"] = "channel"
    count: Size
    starts: Annotated[tuple[Count, ...], Field(min_length=1)]
    high_bits: Bits | None = None
    theta: Name
    base: Parameters


class PrecisionGate(_Model):
    """The base pass does the high bits of every activation, the conditional pass the low ones.

    With ``low = bits - high_bits`` the base operand is ``(x >> low) << low``: the high bits *at
    their place*, so that ``acc = base_acc + conditional_acc``, and theta is in units of ``acc``.
    """

    kind: Literal["precision"] = "precision"
    high_bits: Bits
    theta: Name
    base: Parameters


Gate = Annotated[ChannelGate | PrecisionGate, Field(discriminator="kind")]


class _Layer(_Model):
    name: Name
    inputs: tuple[Name, ...]
    output: Edge

    @property
    def macs(self) -> int:
        """Multiplications of one image, all of them done."""
        return 0

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of the tensors the layer refers to."""
        return ()


class _Requantizing(_Layer):
    full: Parameters
    lo: int
    hi: int

    @property
    def tensors(self) -> tuple[str, ...]:
        return self.full.names


class Input(_Layer):
    """Where an image enters. Exactly one layer of a network, the first.

    With ``full`` the network also says how raw bytes (pixels 0 … 255) become its integers: each
    byte is requantized like an accumulator, with the parameters of its channel. Whoever feeds the
    network does that; the accelerator does not.
    """

    kind: Literal["input"] = "input"
    inputs: tuple[()] = ()
    full: Parameters | None = None

    @property
    def tensors(self) -> tuple[str, ...]:
        return self.full.names if self.full else ()


class _Weighted(_Requantizing):
    """``weight_bits`` of two's complement, symmetric: -1, 0 and 1 are two bits. Weights of one bit
    are -1 or 1.
    """

    weight: Name
    weight_bits: Bits


class Conv(_Weighted):
    """Convolution; with a second input also the residual add that follows it.

    ``weight`` is (out_channels, in_channels / groups, kernel height, kernel width); ``padding`` is
    zeros (-1 where the input is -1 and 1) on top, bottom, left and right. With two inputs the
    second one is ``b`` of the residual add, ``full.Mb`` (and ``gate.base.Mb``) its multiplier.
    """

    kind: Literal["conv"] = "conv"
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=2)]
    in_channels: Size
    out_channels: Size
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Sides = (0, 0, 0, 0)
    groups: Size = 1
    gate: Gate | None = None

    @property
    def residual(self) -> str | None:
        """The layer that is added before requantization, if any."""
        return self.inputs[1] if len(self.inputs) == 2 else None

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights."""
        return self.out_channels, self.in_channels // self.groups, *self.kernel

    @property
    def fan_in(self) -> int:
        """Products in one dot product."""
        return self.in_channels // self.groups * math.prod(self.kernel)

    @property
    def macs(self) -> int:
        return self.output.size * self.fan_in

    @property
    def tensors(self) -> tuple[str, ...]:
        gate = (self.gate.theta, *self.gate.base.names) if self.gate else ()
        return (self.weight, *self.full.names, *gate)


class Linear(_Weighted):
    """Fully connected: the input in channel, row, column order against ``weight`` (out_features,
    in_features).

    The same as a convolution whose kernel is the whole input, without padding. The output is
    (out_features, 1, 1).
    """

    kind: Literal["linear"] = "linear"
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1)]
    in_features: Size
    out_features: Size

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weights."""
        return self.out_features, self.in_features

    @property
    def macs(self) -> int:
        return self.in_features * self.out_features

    @property
    def tensors(self) -> tuple[str, ...]:
        return (self.weight, *self.full.names)


class Add(_Requantizing):
    """``clamp((a * M + b * Mb + B + (1 << (S - 1))) >> S, lo, hi)`` of two edges of equal shape."""

    kind: Literal["add"] = "add"
    inputs: tuple[Name, Name]


class _Window(_Layer):
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1)]
    kernel: Pair
    stride: Pair
    padding: Sides = (0, 0, 0, 0)


class MaxPool(_Window):
    """Exact maximum of each window; padding never wins (for unsigned edges that is the same as
    zeros).
    """

    kind: Literal["maxpool"] = "maxpool"


class AvgPool(_Window, _Requantizing):
    """The integer sum of each window (padding counts as zeros), requantized. A 1×1 window rescales
    an edge.
    """

    kind: Literal["avgpool"] = "avgpool"


class GlobalAvgPool(_Requantizing):
    """The integer sum of each channel, requantized to (channels, 1, 1)."""

    kind: Literal["global_avgpool"] = "global_avgpool"
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1)]


class Shuffle(_Layer):
    """Channel shuffle: with n = channels / groups, output channel ``i * groups + j`` is input
    channel ``j * n + i``.
    """

    kind: Literal["shuffle"] = "shuffle"
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1)]
    groups: Size


class Concat(_Layer):
    """The channels of all inputs, in order; bits and signedness are the same on all of them."""

    kind: Literal["concat"] = "concat"
    inputs: Annotated[tuple[Name, ...], Field(min_length=1)]


class Split(_Layer):
    """Channels ``start`` … ``start + output channels - 1``; a split into parts is one layer for
    each part.
    """

    kind: Literal["split"] = "split"
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1)]
    start: Count


class Flatten(_Layer):
    """(C, H, W) to (C·H·W, 1, 1) in channel, row, column order."""

    kind: Literal["flatten"] = "flatten"
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1)]


class Output(_Layer):
    """Marks its input as a result of the network. At least one; the first is the one that is
    classified by.
    """

    kind: Literal["output"] = "output"
    inputs: Annotated[tuple[Name, ...], Field(min_length=1, max_length=1)]


Layer = Annotated[
    Input
    | Conv
    | Linear
    | Add
    | MaxPool
    | AvgPool
    | GlobalAvgPool
    | Shuffle
    | Concat
    | Split
    | Flatten
    | Output,
    Field(discriminator="kind"),
]


class Limits(_Model):
    """Widths (two's complement) of the requantizer that the parameters of a network fit into.

    ``multiplier_bits`` holds M and ``residual_multiplier_bits`` Mb: an accumulator is 32 bits
    against a 16-bit M, an activation at most 16 bits against a 32-bit Mb, so one 32×16 multiplier
    serves both. ``sum_bits`` holds B and the sum ``acc * M + b * Mb + B + (1 << (S - 1))`` for
    every accumulator that can occur.
    """

    accumulator_bits: Annotated[int, Field(ge=16, le=32)] = 32
    multiplier_bits: Annotated[int, Field(ge=8, le=32)] = 16
    residual_multiplier_bits: Annotated[int, Field(ge=8, le=32)] = 32
    shift_max: Annotated[int, Field(ge=1, le=47)] = 31
    sum_bits: Annotated[int, Field(ge=32, le=56)] = 48


class Graph(_Model):
    """What the JSON of a network file holds beside the tensors. ``layers`` are in topological
    order.
    """

    name: Annotated[str, Field(max_length=200)]
    limits: Limits = Limits()
    layers: Annotated[tuple[Layer, ...], Field(min_length=2)]
    info: dict[str, str | int | float | bool | None] = {}

    @model_validator(mode="after")
    def _names_unique(self):
        seen = set()
        for layer in self.layers:
            if layer.name in seen:
                raise ValueError(f"two layers are called {layer.name!r}")
            seen.add(layer.name)
        return self
