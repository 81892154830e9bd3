"""A second reading of the contract: a whole layer with PyTorch's convolution, in exact integers."""

import torch
import torch.nn.functional as F

from hwgen.compiler.layer import Convolution, Requantization

__all__ = ["read_layer"]


def _column(values) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.int64)[:, None, None]


def _output(layer: Convolution, sums, residual, parameters: Requantization) -> torch.Tensor:
    total = sums * _column(parameters.multiplier) + _column(parameters.bias)
    if residual is not None:
        total += residual * _column(parameters.residual_multiplier)
    shift = _column(parameters.shift)
    half_up = torch.bitwise_right_shift(total + torch.bitwise_left_shift(1, shift - 1), shift)
    return half_up.clamp(layer.low, layer.high)


def read_layer(layer: Convolution, memory: bytes) -> torch.Tensor:
    """What ``layer`` makes of the tensors in ``memory``.

    The convolution is PyTorch's in float64, which holds these sums exactly; it knows neither planes
    nor passes. The input is read with all its lanes, so that lanes that must not matter are in it.
    """
    top, bottom, left, right = layer.padding
    lanes = layer.weights.shape[1]
    x = torch.zeros(lanes, layer.input.rows, layer.input.columns, dtype=torch.int64)
    x[: layer.input.channels] = torch.as_tensor(layer.input.unpack(memory[layer.input.offset :]))

    def convolve(image, weights) -> torch.Tensor:
        image = F.pad(image.double()[None], (left, right, top, bottom))
        sums = F.conv2d(image, torch.as_tensor(weights).double(), stride=layer.stride)[0]
        assert sums.abs().max() < 2**31
        return sums.to(torch.int64)

    residual = None
    if layer.residual is not None:
        residual = torch.as_tensor(layer.residual.unpack(memory[layer.residual.offset :]))
    full = _output(layer, convolve(x, layer.weights), residual, layer.requantization)
    gate = layer.gate
    if gate is None:
        return full
    weights = layer.weights
    if gate.base is not None:
        weights = weights * gate.base[:, :, None, None]
    # A mask on two's complement: & on negative numbers keeps the high bits of the byte.
    sums = convolve(x & (gate.high_mask - 256), weights)
    base = _output(layer, sums, residual, gate.requantization)
    return torch.where(sums > _column(gate.threshold), full, base)
