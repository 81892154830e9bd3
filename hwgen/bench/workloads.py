"""Single layers as programs: dense ones, and gated ones whose decisions are given."""

from dataclasses import dataclass

import numpy as np

from ..compiler.convolution import Lowering
from ..compiler.layer import Convolution, Gate, Requantization
from ..compiler.memory import Buffers
from ..compiler.pipeline import schedule
from ..compiler.program import Builder, Program
from ..compiler.segments import FULL_MASK, Taps, chunks_of, cover, split_last
from ..compiler.tensors import Tensor
from ..config import Config

__all__ = ["Workload", "dense_layer", "masked_layer"]


@dataclass(frozen=True)
class Workload:
    """A program with the memory behind base registers 1 (inputs) and 2 (outputs)."""

    program: Program
    inputs: bytes
    output_bytes: int
    macs: int  # if nothing is skipped


class _MaskedLowering(Lowering):
    """The base pass is replaced by one of equal length that computes the given decisions.

    Behind the layer's own input planes lie as many planes that hold the mask, one channel for each
    output. The base part multiplies them by one (a single tap each); chunks of zeros make up the
    number.
    """

    def segments(self, block, limits):
        layer = self.layer
        lanes, own = layer.input.lanes, layer.input.planes // 2
        base_planes = own // 8
        kernel = layer.weights.shape[2:]
        weights = layer.weights[block.channels]
        centre = [range(k // 2, k // 2 + 1) for k in kernel]
        mask_planes = range(own, own + -(-len(weights) // lanes))
        identity = np.zeros_like(weights)
        identity[
            np.arange(len(weights)),
            own * lanes + np.arange(len(weights)),
            *[k // 2 for k in kernel],
        ] = 1

        def piece(planes, rows, columns, source):
            chunks = chunks_of(layer, source, planes, rows, columns)
            return Taps(planes, rows, columns, FULL_MASK, False, chunks)

        filler = base_planes * kernel[0] * kernel[1] - len(mask_planes)
        nothing = np.zeros_like(weights)
        base = [piece(range(n, n + 1), *centre, nothing) for n in range(filler)]
        base.append(piece(mask_planes, *centre, identity))
        rest = cover(layer, weights, list(range(base_planes, own)), limits, conditional=True)
        return split_last(base) + rest


def _plain(channels: int) -> Requantization:
    return Requantization(np.full(channels, 3), np.zeros(channels, int), np.full(channels, 12))


def _program(
    config: Config, layers: list[Convolution], lowering, inputs: bytes, macs: int
) -> Workload:
    builder, buffers = Builder(), Buffers(config)
    items = [i for layer in layers for i in lowering(config, builder, buffers, layer).items()]
    schedule(config, buffers, items)
    end = layers[-1].output
    return Workload(builder.finish(), inputs, end.offset + end.bytes, macs)


def dense_layer(
    config: Config, *, channels: tuple[int, int], size: int, kernel: int, images: int, seed: int = 0
) -> Workload:
    """A convolution of ``size`` x ``size`` positions, the same for each image, one image after the
    other.
    """
    rng = np.random.default_rng(seed)
    lanes = config.array.lanes
    weights = rng.integers(-127, 128, (channels[1], channels[0], kernel, kernel)).astype(np.int8)
    layers, inputs, offset = [], b"", 0
    for n in range(images):
        source = Tensor(1, len(inputs), channels[0], size, size, lanes)
        inputs += source.pack(rng.integers(0, 256, (channels[0], size, size)))
        target = Tensor(2, offset, channels[1], size, size, lanes)
        offset += target.bytes
        layers.append(
            Convolution(
                name=f"image{n}",
                input=source,
                output=target,
                channels=np.arange(channels[1]),
                weights=weights,
                sees=np.ones(weights.shape[:2], bool),
                requantization=_plain(channels[1]),
                low=0,
                high=255,
                padding=(kernel // 2,) * 4,
            )
        )
    macs = images * size * size * channels[0] * channels[1] * kernel * kernel
    return _program(config, layers, Lowering, inputs, macs)


def masked_layer(
    config: Config, masks: np.ndarray, *, kernel: int = 3, batch: int = 1, seed: int = 0
) -> Workload:
    """A gated convolution from as many channels as it has, base 1/8, with decisions ``masks``
    (image, channel, y, x). So many images as ``batch`` says may be computed together.
    """
    rng = np.random.default_rng(seed)
    lanes = config.array.lanes
    images, channels, rows, columns = masks.shape
    weights = np.zeros((channels, 2 * channels, kernel, kernel), np.int8)
    weights[:, :channels] = rng.integers(-127, 128, (channels, channels, kernel, kernel))
    sees = np.ones((channels, 2 * channels), bool)
    layers, inputs, offset = [], b"", 0
    for n in range(0, images, batch):
        count = min(batch, images - n)
        among = {"images": count, "gap": kernel // 2 if batch > 1 else 0}
        source = Tensor(1, len(inputs), 2 * channels, rows, columns, lanes, **among)
        values = rng.integers(0, 256, (count, 2 * channels, rows, columns))
        values[:, channels:] = masks[n : n + count]
        inputs += source.pack(values if count > 1 else values[0])
        target = Tensor(2, offset, channels, rows, columns, lanes, **among)
        offset += target.bytes
        layers.append(
            Convolution(
                name=f"image{n}",
                input=source,
                output=target,
                channels=np.arange(channels),
                weights=weights,
                sees=sees,
                requantization=_plain(channels),
                low=0,
                high=255,
                padding=(kernel // 2,) * 4,
                gate=Gate(np.zeros(channels, int), _plain(channels), sees),
            )
        )
    macs = images * rows * columns * channels * channels * kernel * kernel
    return _program(config, layers, _MaskedLowering, inputs, macs)
