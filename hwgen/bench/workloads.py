"""Single layers as programs: dense ones, and gated ones whose decisions are given."""

from dataclasses import dataclass

import numpy as np

from ..compiler.convolution import Lowering
from ..compiler.layer import Convolution, Gate, How, Requantization
from ..compiler.memory import Buffers
from ..compiler.pipeline import schedule
from ..compiler.program import Builder, Program
from ..compiler.segments import Taps, chunks_of, cover, split_last
from ..compiler.tensors import Tensor
from ..config import Config

__all__ = ["Workload", "dense_layer", "masked_layer"]

BASE_SHARE = 8
ACTIVATION_BITS = 8


@dataclass(frozen=True)
class Workload:
    """A program with the memory behind base registers 1 (inputs) and 2 (outputs)."""

    program: Program
    inputs: bytes
    output_bytes: int
    macs: int  # if nothing is skipped


class _MaskedLowering(Lowering):
    """The base pass is replaced by one of equal length that computes the given decisions.

    A base plane has a bit for each of eight times R outputs: bit b of lane n of plane p is the
    decision of output (b * base planes + p) * R + n. Eight passes with one bit of the activations
    each, a single tap, add the bit to the output's sum; chunks of zeros make up the number.
    """

    def segments(self, block, limits):
        layer = self.layer
        lanes, planes = layer.input.lanes, layer.input.planes
        kernel = layer.weights.shape[2:]
        base_planes = range(planes // BASE_SHARE)
        filler = kernel[0] * kernel[1] - ACTIVATION_BITS
        assert len(layer.weights) <= ACTIVATION_BITS * len(base_planes) * lanes and filler >= 0
        weights = layer.weights[block.channels]
        centre = [range(k // 2, k // 2 + 1) for k in kernel]

        def piece(how, source):
            chunks = chunks_of(layer, source, base_planes, *centre)
            return Taps(base_planes, *centre, how, chunks)

        nothing = np.zeros_like(weights)
        base = [piece(How(), nothing) for _ in range(filler)]
        bit, lane = np.divmod(block.channels, len(base_planes) * lanes)
        for n in range(ACTIVATION_BITS):
            reads = nothing.copy()
            slots = np.flatnonzero(bit == n)
            reads[slots, lane[slots], *[k // 2 for k in kernel]] = 1
            base.append(piece(How(1 << n), reads))
        others = list(range(len(base_planes), planes))
        rest = cover(layer, weights, others, limits, How(conditional=True))
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
    weights = rng.integers(-127, 128, (channels, channels, kernel, kernel)).astype(np.int8)
    sees = np.ones((channels, channels), bool)
    base = channels // BASE_SHARE
    layers, inputs, offset = [], b"", 0
    for n in range(0, images, batch):
        count = min(batch, images - n)
        among = {"images": count, "gap": kernel // 2 if batch > 1 else 0}
        source = Tensor(1, len(inputs), channels, rows, columns, lanes, **among)
        values = rng.integers(0, 256, (count, channels, rows, columns))
        bits = masks[n : n + count].reshape(count, ACTIVATION_BITS, base, rows, columns)
        values[:, :base] = np.packbits(bits, axis=1, bitorder="little")[:, 0]
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
                gate=Gate(
                    np.zeros(channels, int), _plain(channels), sees & (np.arange(channels) < base)
                ),
            )
        )
    macs = images * rows * columns * channels * channels * kernel * kernel
    return _program(config, layers, _MaskedLowering, inputs, macs)
