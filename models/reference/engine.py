"""Running an integer network, layer by layer, on batches of images."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from hwgen.errors import UserError
from models.netfile import Network, accumulator_range, sum_range

from .convolution import columns, convolve, exact_type, windows

__all__ = ["Result", "prepare", "run"]

# Columns of one convolution in float64; larger blocks fall out of the caches and gain nothing.
_BLOCK_BYTES = 64 << 20


@dataclass
class Result:
    """What :func:`run` found; the axes of arrays are image, channel, row, column.

    Members
    -------
    outputs:
        Integers of each output layer.
    fired:
        Of each gated layer, how many outputs of each channel passed the gate, over all images.
    masks:
        Of each gated layer, the decisions themselves (booleans), if asked for.
    taps:
        The output of each layer asked for.
    accumulators, base_accumulators:
        Of each tapped layer that has them, the sums before requantization. An accumulator is that
        of the path taken: the base sum where a gate did not fire.
    """

    network: Network
    images: int = 0
    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    fired: dict[str, np.ndarray] = field(default_factory=dict)
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    taps: dict[str, np.ndarray] = field(default_factory=dict)
    accumulators: dict[str, np.ndarray] = field(default_factory=dict)
    base_accumulators: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def logits(self) -> np.ndarray:
        """The first output, (images, classes)."""
        return self.outputs[self.network.outputs[0].name].reshape(self.images, -1)

    @property
    def classes(self) -> np.ndarray:
        """Index of the largest logit of each image; the lowest index of several equal ones."""
        return self.logits.argmax(1)

    def density(self, name: str) -> float:
        """Part of the outputs of a gated layer that passed its gate."""
        shape = self.network.layer(name).output.shape
        return float(self.fired[name].sum() / (self.images * shape[0] * shape[1] * shape[2]))


def prepare(network: Network, pixels) -> np.ndarray:
    """Raw bytes (images, channels, height, width) or (images, height, width) as the network's input
    integers.
    """
    pixels = np.asarray(pixels)
    layer = network.input
    if pixels.ndim == 3 and layer.output.shape[0] == 1:
        pixels = pixels[:, None]
    if pixels.dtype != np.uint8:
        raise UserError(f"pixels must be bytes (uint8), not {pixels.dtype}")
    if pixels.ndim == 4 and pixels.shape[1] == 1 and layer.full is not None:
        # A channel of pixels may become several, each with its own parameters.
        if pixels.shape[2:] == layer.output.shape[1:]:
            pixels = np.broadcast_to(pixels, (len(pixels), *layer.output.shape))
    if pixels.shape[1:] != layer.output.shape:
        channels, *size = layer.output.shape
        spread = f" or {[1, *size]}" if layer.full is not None and channels > 1 else ""
        raise UserError(
            f"images are {list(pixels.shape[1:])}, network {network.name} takes "
            f"{list(layer.output.shape)}{spread}"
        )
    if layer.full is not None:
        return network.requantizer(layer).apply(pixels)
    if layer.output.signed or layer.output.bits != 8:
        raise UserError(
            f"network {network.name!r} does not say how bytes become its "
            f"{layer.output.bits}-bit input"
        )
    return pixels.astype(np.int64)


def run(
    network: Network,
    images,
    *,
    taps: bool | Iterable[str] = False,
    masks: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Result:
    """Compute ``network`` on integer ``images`` (images, channels, height, width).

    ``taps`` asks for the outputs and sums of all layers (True) or of the named ones, ``masks`` for
    the decisions of all gates. ``progress`` is called with the number of images done. Raises
    UserError, naming the layer, if an accumulator leaves 32 bits or a requantizer its width, and if
    the images do not fit the network.
    """
    images = _checked(network, images)
    wanted = {layer.name for layer in network.layers} if taps is True else set(taps or ())
    for name in wanted - network.by_name.keys():
        raise UserError(f"network {network.name!r} has no layer {name!r} to tap")
    engine = _Engine(network, wanted, masks)
    block = engine.images_at_once
    parts = []
    for start in range(0, len(images), block):
        parts.append(engine.run(images[start : start + block], start))
        if progress:
            progress(min(start + block, len(images)))
    return _joined(network, len(images), parts)


def _checked(network: Network, images) -> np.ndarray:
    images = np.asarray(images)
    edge = network.input.output
    if not np.issubdtype(images.dtype, np.integer):
        raise UserError(f"network {network.name!r} takes integers, not {images.dtype}")
    if images.ndim != 4 or images.shape[1:] != edge.shape:
        raise UserError(
            f"images are {list(images.shape)}, network {network.name!r} takes [n, "
            f"{', '.join(map(str, edge.shape))}]"
        )
    if not len(images):
        raise UserError("there is no image to run")
    if images.min() < edge.lo or images.max() > edge.hi:
        raise UserError(
            f"images hold {images.min()} … {images.max()}, network {network.name!r} takes "
            f"{edge.lo} … {edge.hi}"
        )
    if edge.bipolar and not images.all():
        raise UserError(f"images hold 0, network {network.name!r} takes -1 and 1")
    return images.astype(np.int64)


def _joined(network: Network, images: int, parts: list[Result]) -> Result:
    result = Result(network, images)
    for name in ("outputs", "masks", "taps", "accumulators", "base_accumulators"):
        merged = getattr(result, name)
        for key in getattr(parts[0], name):
            merged[key] = np.concatenate([getattr(part, name)[key] for part in parts])
    for key in parts[0].fired:
        result.fired[key] = sum(part.fired[key] for part in parts)
    return result


class _Engine:
    """One network made ready: proofs done once, memory of edges freed after their last reader."""

    def __init__(self, network: Network, taps: set[str], masks: bool):
        self.network, self.taps, self.masks = network, taps, masks
        self.last_reader = {name: layer.name for layer in network.layers for name in layer.inputs}
        self.unproven = {layer.name for layer in network.layers if not self._proven(layer)}
        largest = max(
            (layer.fan_in * layer.groups * layer.output.size // layer.out_channels)
            if layer.kind == "conv"
            else layer.output.size
            for layer in network.layers
        )
        self.images_at_once = max(1, _BLOCK_BYTES // (8 * largest))

    def _proven(self, layer) -> bool:
        if layer.kind not in ("conv", "linear", "add", "avgpool", "global_avgpool"):
            return True
        limits = self.network.graph.limits
        paths = ("full", "base") if getattr(layer, "gate", None) else ("full",)
        sums = max(sum_range(self.network, layer, path).widest() for path in paths)
        widest = accumulator_range(self.network, layer).widest()
        return widest <= limits.accumulator_bits and sums <= limits.sum_bits

    def run(self, images, first: int) -> Result:
        result = Result(self.network, len(images))
        edges = {}
        for layer in self.network.layers:
            sources = [edges[name] for name in layer.inputs]
            compute = getattr(self, f"_{layer.kind}")
            y = images if layer.kind == "input" else compute(layer, sources, result, first)
            edges[layer.name] = y
            if layer.name in self.taps:
                result.taps[layer.name] = y
            if layer.kind == "output":
                result.outputs[layer.name] = y
            for name in set(layer.inputs):
                if self.last_reader[name] == layer.name:
                    del edges[name]
        return result

    def _input(self, layer, sources, result, first):
        raise AssertionError("an input layer computes nothing")

    def _conv(self, layer, sources, result, first):
        x, b = sources[0], sources[1] if layer.residual else None
        acc = self._accumulators(layer, x, self.network.weight(layer))
        if layer.gate is None:
            return self._finish(layer, acc, b, result, first)
        base = self._base_accumulators(layer, x, acc)
        fired = base > self.network.theta(layer)[:, None, None]
        result.fired[layer.name] = fired.sum((0, 2, 3))
        if self.masks:
            result.masks[layer.name] = fired
        if layer.name in self.taps:
            result.base_accumulators[layer.name] = base
        full = self._finish(layer, np.where(fired, acc, base), b, result, first)
        return np.where(fired, full, self._requantized(layer, "base", base, b, first))

    def _base_accumulators(self, layer, x, acc):
        weight = self.network.weight(layer)
        if layer.gate.high_bits is not None:
            low = self.network.edge(layer).bits - layer.gate.high_bits
            x = (x >> low) << low
        if layer.gate.kind == "precision":
            return self._accumulators(layer, x, weight)
        if len(layer.gate.starts) > 1 or layer.groups > 1:
            kept = self.network.base_weight_mask(layer)[:, :, None, None]
            return self._accumulators(layer, x, weight * kept)
        base = slice(layer.gate.starts[0], layer.gate.starts[0] + layer.gate.count)
        return self._accumulators(layer, x[:, base], weight[:, base])

    def _accumulators(self, layer, x, weight):
        """Accumulators (images, channels, height, width) of a convolution."""
        kind = exact_type(weight, max(abs(int(x.min())), abs(int(x.max()))))
        fill = -1 if self.network.edge(layer).bipolar else 0
        cols = columns(x, layer.kernel, layer.stride, layer.padding, kind, fill)
        acc = convolve(cols, weight, layer.groups)
        return acc.reshape(len(acc), len(x), *layer.output.shape[1:]).swapaxes(0, 1)

    def _linear(self, layer, sources, result, first):
        x, weight = sources[0], self.network.weight(layer)
        kind = exact_type(weight, max(abs(int(x.min())), abs(int(x.max()))))
        acc = x.reshape(len(x), -1).astype(kind) @ weight.T.astype(kind)
        return self._finish(layer, acc.astype(np.int64)[..., None, None], None, result, first)

    def _add(self, layer, sources, result, first):
        return self._finish(layer, sources[0], sources[1], result, first)

    def _maxpool(self, layer, sources, result, first):
        view = windows(sources[0], layer.kernel, layer.stride, layer.padding, fill=layer.output.lo)
        return view.max((4, 5))

    def _avgpool(self, layer, sources, result, first):
        view = windows(sources[0], layer.kernel, layer.stride, layer.padding)
        return self._finish(layer, view.sum((4, 5)), None, result, first)

    def _global_avgpool(self, layer, sources, result, first):
        return self._finish(layer, sources[0].sum((2, 3), keepdims=True), None, result, first)

    def _shuffle(self, layer, sources, result, first):
        x = sources[0]
        parts = x.reshape(len(x), layer.groups, -1, *x.shape[2:])
        return parts.swapaxes(1, 2).reshape(x.shape)

    def _concat(self, layer, sources, result, first):
        return np.concatenate(sources, axis=1)

    def _split(self, layer, sources, result, first):
        return sources[0][:, layer.start : layer.start + layer.output.shape[0]]

    def _flatten(self, layer, sources, result, first):
        return sources[0].reshape(len(sources[0]), -1, 1, 1)

    def _output(self, layer, sources, result, first):
        return sources[0]

    def _finish(self, layer, acc, b, result, first):
        """Requantize the accumulators of a layer with its full path and keep them if they are
        tapped.
        """
        if layer.name in self.taps:
            result.accumulators[layer.name] = acc
        return self._requantized(layer, "full", acc, b, first)

    def _requantized(self, layer, path: str, acc, b, first):
        q = self.network.requantizer(layer, path)
        if layer.name in self.unproven:
            self._check_widths(layer, q, acc, b, first)
        return q.apply(acc, b)

    def _check_widths(self, layer, q, acc, b, first):
        """Where no proof holds for every image, look at the values of these images."""
        limits = self.network.graph.limits
        column = (slice(None), None, None)
        total = acc * q.M[column] + q.B[column] + (np.int64(1) << (q.S - 1))[column]
        if b is not None:
            total = total + b * q.Mb[column]
        for what, values, bits in (
            ("accumulator", acc, limits.accumulator_bits),
            ("requantizer", total, limits.sum_bits),
        ):
            limit = 1 << (bits - 1)
            wrong = (values >= limit) | (values < -limit)
            if wrong.any():
                image, channel, row, col = np.argwhere(wrong)[0]
                raise UserError(
                    f"network {self.network.name!r}, layer {layer.name!r}: {what} "
                    f"{values[image, channel, row, col]} of image {first + image}, channel "
                    f"{channel}, row {row}, column {col} does not fit {bits} bits"
                )
