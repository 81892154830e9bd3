"""Random layers, and what they compute, read straight off the contract."""

from dataclasses import dataclass

import numpy as np

from hwgen.arithmetic import requantize
from hwgen.compiler.layer import Convolution, Gate, Requantization
from hwgen.compiler.tensors import Tensor
from hwgen.config import Config

__all__ = ["Case", "random_case"]


def convolve(x, weights, stride, padding, groups):
    """Sums of a convolution, tap by tap."""
    top, bottom, left, right = padding
    out, per_in, height, width = weights.shape
    x = np.pad(x, ((0, 0), (top, bottom), (left, right)))
    rows = (x.shape[1] - height) // stride + 1
    columns = (x.shape[2] - width) // stride + 1
    sums = np.zeros((out, rows, columns), np.int64)
    per_out = out // groups
    for g in range(groups):
        mine = slice(g * per_out, (g + 1) * per_out)
        for ky in range(height):
            for kx in range(width):
                seen = x[
                    g * per_in : (g + 1) * per_in,
                    ky : ky + (rows - 1) * stride + 1 : stride,
                    kx : kx + (columns - 1) * stride + 1 : stride,
                ]
                sums[mine] += np.einsum("kc,chw->khw", weights[mine, :, ky, kx], seen)
    return sums


@dataclass(frozen=True)
class Case:
    """A layer, its memory contents and its result."""

    layer: Convolution
    memory: bytes  # of base register 1
    expected: np.ndarray


def _parameters(rng, channels: int, residual: bool) -> Requantization:
    return Requantization(
        rng.integers(-(2**15), 2**15, channels),
        rng.integers(-(2**30), 2**30, channels),
        rng.integers(1, 32, channels),
        rng.integers(-(2**30), 2**30, channels) if residual else None,
    )


def random_case(
    rng: np.random.Generator, config: Config, *, gate: str | None = None, largest: int = 20
) -> Case:
    """A convolution with shapes that are multiples of nothing. ``gate``: "channel", "precision" or
    None.
    """
    lanes = config.array.lanes
    groups = int(rng.choice([1, 1, 1, 2, 4]))
    per_in = int(rng.integers(1, largest))
    if rng.random() < 0.1:
        groups, per_in = groups * per_in, 1
    inputs = groups * per_in
    outputs = groups * int(rng.integers(1, max(2, 2 * largest // groups)))
    height = int(rng.choice([1, 3, 5, 7]))
    width = int(rng.choice([height, height, 1]))
    stride = int(rng.choice([1, 2]))
    padding = tuple(int(rng.integers(0, k)) for k in (height, height, width, width))
    size = [
        int(rng.integers(max(1, k - a - b), largest))
        for k, a, b in ((height, *padding[:2]), (width, *padding[2:]))
    ]
    signed = bool(rng.random() < 0.3)
    x = rng.integers(-128 if signed else 0, 128 if signed else 256, (inputs, *size))
    weights = rng.integers(-127, 128, (outputs, per_in, height, width))
    sums = convolve(x, weights, stride, padding, groups)
    low, high = (0, 255) if rng.random() < 0.6 else (-128, 127)
    adds = rng.random() < 0.3 and config.drain.residual
    residual = rng.integers(0, 256, sums.shape) if adds else None

    def result(acc, p):
        column = [v[:, None, None] for v in (p.multiplier, p.bias, p.shift)]
        extra = {}
        if residual is not None:
            extra = {
                "residual": residual,
                "residual_multiplier": p.residual_multiplier[:, None, None],
            }
        return requantize(acc, *column, low, high, **extra)

    full = _parameters(rng, outputs, residual is not None)
    expected = result(sums, full)

    source = Tensor(1, 0, inputs, *size, lanes, signed)
    target = Tensor(2, 0, outputs, *sums.shape[1:], lanes, low < 0)
    places = source.planes * lanes
    wide = np.zeros((outputs, places, height, width), np.int8)
    sees = np.zeros((outputs, places), bool)
    per_out = outputs // groups
    for g in range(groups):
        rows, columns = slice(g * per_out, (g + 1) * per_out), slice(g * per_in, (g + 1) * per_in)
        wide[rows, columns] = weights[rows]
        sees[rows, columns] = True

    decision = None
    if gate is not None:
        base_parameters = _parameters(rng, outputs, residual is not None)
        in_base, mask = None, 255
        if gate == "channel":
            chosen = rng.random(inputs) < 0.4
            chosen[rng.integers(per_in) :: per_in] = True
            in_base = sees.copy()
            in_base[:, :inputs] &= chosen
            seen = np.where(chosen[:, None, None], x, 0)
        else:
            low_bits = int(rng.integers(1, 8))
            mask = 255 & ~((1 << low_bits) - 1)
            seen = (x >> low_bits) << low_bits
        base = convolve(seen, weights, stride, padding, groups)
        threshold = np.array([np.quantile(b, rng.random()) for b in base]).astype(np.int64)
        fired = base > threshold[:, None, None]
        expected = np.where(fired, expected, result(base, base_parameters))
        decision = Gate(threshold, base_parameters, in_base, mask)

    memory = source.pack(x)
    beside = None
    if residual is not None:
        beside = Tensor(1, len(memory), outputs, *sums.shape[1:], lanes, False)
        memory += beside.pack(residual)
    layer = Convolution(
        name="layer",
        input=source,
        output=target,
        channels=np.arange(outputs),
        weights=wide,
        sees=sees,
        requantization=full,
        low=low,
        high=high,
        stride=stride,
        padding=padding,
        gate=decision,
        residual=beside,
        density=rng.random(outputs),
    )
    return Case(layer, memory, expected)
