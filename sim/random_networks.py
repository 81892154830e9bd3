"""Random networks of every kind of layer, with shapes that are multiples of nothing."""

import numpy as np

from hwgen.config import Config
from models.netfile import Builder, Edge, Network
from models.netfile.shapes import window_shape
from models.zoo.synthetic import random_parameters

__all__ = ["random_network"]

LAYER_MACS = 250_000
CHANNELS, SIZE = 40, 18
TRIES = 20  # at a layer of some kind, whose shapes may not allow it


def _divisor(rng: np.random.Generator, number: int) -> int:
    return int(rng.choice([n for n in range(1, number + 1) if number % n == 0]))


class _Draw:
    """A network that grows by layers that ``config`` can run."""

    def __init__(self, rng: np.random.Generator, config: Config, name: str):
        self.rng, self.config = rng, config
        self.net = Builder(name)
        self.edges: list[str] = []
        channels = int(rng.choice([1, 2, 3, 3, int(rng.integers(4, 20))]))
        size = rng.integers(3, SIZE + 1, 2)
        bits = int(rng.choice([8, 8, 8, rng.integers(2, 8)]))
        signed = bool(rng.random() < 0.5)
        self.edges.append(self.net.input((channels, *map(int, size)), bits=bits, signed=signed))

    # Choices

    def chance(self, share: float) -> bool:
        """True in that share of cases."""
        return bool(self.rng.random() < share)

    def between(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def edge(self, name: str) -> Edge:
        """What layer ``name`` gives out."""
        return self.net.edge(name)

    def source(self) -> str:
        """An edge to go on from: mostly the newest one."""
        return self.edges[-1] if self.chance(0.6) else str(self.rng.choice(self.edges))

    def name(self, kind: str) -> str:
        """Of the next layer."""
        return f"{kind}{len(self.net.layers)}"

    def range(self) -> dict:
        """Bits, sign and clamp of an output."""
        bits = 8 if self.chance(0.8) else self.between(1, 7)
        # One signed bit is a sign, which clamps differently; it is not drawn here.
        edge = Edge(shape=(1, 1, 1), bits=bits, signed=self.chance(0.3) and bits > 1)
        chosen = {"bits": bits, "signed": edge.signed}
        if self.chance(0.2):
            low, high = sorted(self.rng.choice(np.arange(edge.lo, edge.hi + 1), 2, replace=False))
            chosen |= {"lo": int(low), "hi": int(high)}
        return chosen

    def parameters(self, channels: int, fan_in: int, **how) -> dict:
        """Requantization that keeps most of a sum, or any."""
        if self.chance(0.8):
            return random_parameters(self.rng, channels, fan_in, **how)
        integers = self.rng.integers
        wild = {
            "M": integers(-(2**15), 2**15, channels),
            "B": integers(-(2**30), 2**30, channels),
            "S": integers(1, 32, channels),
        }
        if how.get("residual"):
            wild["Mb"] = integers(-(2**30), 2**30, channels)
        return wild

    def uniform(self, fan_in: int, **how) -> dict:
        """The same for all channels."""
        return {key: int(value[0]) for key, value in self.parameters(1, fan_in, **how).items()}

    def per_layer(self, channels: int, fan_in: int, **how) -> dict:
        """Either; the vector unit, where there is one, takes the same for all channels."""
        if self.config.drain.pool and self.chance(0.6):
            return self.uniform(fan_in, **how)
        return self.parameters(channels, fan_in, **how)

    # Layers: each returns the name of a new one, or None where the edge does not allow it.

    def conv(self) -> str | None:
        """A convolution; perhaps in groups, gated, with a residual."""
        source = self.source()
        shape, residual = self.edge(source).shape, None
        groups = self.rng.choice([1, 1, 1, _divisor(self.rng, shape[0]), shape[0]])
        outputs = int(groups) * max(1, self.between(1, CHANNELS) // int(groups))
        kernel, stride, padding = self.window(shape[1:])
        if self.chance(0.3):
            # Of the size of an edge, which is added.
            residual = str(self.rng.choice(self.edges))
            outputs = self.edge(residual).shape[0]
            if outputs % groups:
                groups = 1
        rows, columns = window_shape(shape, kernel, stride, padding)
        if residual is not None and self.edge(residual).shape != (outputs, rows, columns):
            return None
        per_in = shape[0] // int(groups)
        fan_in = per_in * kernel[0] * kernel[1]
        if outputs * rows * columns * fan_in > LAYER_MACS:
            return None
        weight_bits = int(self.rng.choice([8, 8, self.between(2, 8)]))
        limit = (1 << (weight_bits - 1)) - 1
        return self.net.conv(
            self.name("conv"),
            source,
            self.rng.integers(-limit, limit + 1, (outputs, per_in, *kernel)),
            full=self.parameters(outputs, fan_in, residual=residual is not None),
            residual=residual,
            stride=stride,
            padding=padding,
            groups=int(groups),
            weight_bits=weight_bits,
            gate=self.gate(outputs, per_in, fan_in, self.edge(source), residual is not None),
            **self.range(),
        )

    def window(self, size: tuple[int, int]) -> tuple:
        """Kernel, stride and padding of a convolution."""
        if self.chance(0.5):  # that keeps the size
            side = int(self.rng.choice([1, 3, 5]))
            return (side, side), (1, 1), (side // 2,) * 4
        kernel = tuple(int(self.rng.choice([1, 2, 3, 3, 5, 7])) for _ in range(2))
        padding = tuple(self.between(0, k) for k in (kernel[0],) * 2 + (kernel[1],) * 2)
        around = sum(padding[:2]), sum(padding[2:])
        if any(k > n + p for k, n, p in zip(kernel, size, around, strict=True)):
            return (1, 1), (1, 1), (0,) * 4
        return kernel, (self.between(1, 3),) * 2, padding

    def gate(self, outputs: int, per_in: int, fan_in: int, edge: Edge, residual: bool):
        """A gate that some, no or all outputs pass."""
        if not self.config.array.gated or self.chance(0.4):
            return None
        spread = int(5000 * fan_in**0.5)
        theta = self.rng.integers(-spread, spread, outputs)
        extreme = self.rng.random(outputs) < self.rng.choice([0, 0, 0.3, 1])
        theta[extreme] = self.rng.choice([-(1 << 31), (1 << 31) - 1])
        common = {"theta": theta, "base": self.parameters(outputs, fan_in, residual=residual)}
        if edge.bits > 1 and self.chance(0.4):
            return {"kind": "precision", "high_bits": self.between(1, edge.bits - 1), **common}
        count = self.between(1, per_in)
        runs = 1 if self.chance(0.5) else _divisor(self.rng, outputs)
        starts = tuple(self.rng.integers(0, per_in - count + 1, runs).tolist())
        return {"kind": "channel", "count": count, "starts": starts, **common}

    def linear(self) -> str | None:
        """A fully connected layer, perhaps on a flattened map."""
        source = self.source()
        size, outputs = self.edge(source).size, self.between(1, CHANNELS)
        if size * outputs > LAYER_MACS or max(self.edge(source).shape[1:]) > 15:
            return None
        if self.chance(0.5):
            source = self.net.flatten(self.name("flatten"), source)
            if self.edge(source).shape == self.edge(self.net.layers[-1].inputs[0]).shape:
                self.edges.append(source)  # only linear layers read other flattened maps
        return self.net.linear(
            self.name("linear"),
            source,
            self.rng.integers(-127, 128, (outputs, size)),
            full=self.parameters(outputs, size),
            **self.range(),
        )

    def add(self) -> str | None:
        """Two edges of one shape."""
        first = self.source()
        shape = self.edge(first).shape
        second = str(self.rng.choice([e for e in self.edges if self.edge(e).shape == shape]))
        full = self.per_layer(shape[0], 1, weighted=False, residual=True)
        return self.net.add(self.name("add"), first, second, full=full, **self.range())

    def pool(self) -> str | None:
        """A maximum or a mean of windows, or of the whole map."""
        source = self.source()
        channels, *size = self.edge(source).shape
        kernel = tuple(self.between(1, min(4, n)) for n in size)
        stride = (self.between(1, 3),) * 2
        padding = tuple(self.between(0, k - 1) for k in (kernel[0],) * 2 + (kernel[1],) * 2)
        if self.config.drain.pool and self.chance(0.4):
            return self.net.maxpool(self.name("maximum"), source, kernel, stride, padding)
        whole = self.chance(0.4) and max(size) <= 15
        terms = size[0] * size[1] if whole else kernel[0] * kernel[1]
        full = self.per_layer(channels, terms, weighted=False)
        if whole:
            return self.net.global_avgpool(self.name("mean"), source, full=full, **self.range())
        where = kernel, stride, padding
        return self.net.avgpool(self.name("average"), source, *where, full=full, **self.range())

    def shuffle(self) -> str | None:
        """Channels in another order."""
        source = self.source()
        groups = _divisor(self.rng, self.edge(source).shape[0])
        return self.net.shuffle(self.name("shuffle"), source, groups)

    def split(self) -> str | None:
        """Some of the channels."""
        source = self.source()
        channels = self.edge(source).shape[0]
        count = self.between(1, channels)
        return self.net.split(self.name("split"), source, self.between(0, channels - count), count)

    def concat(self) -> str | None:
        """Channels of edges with maps and integers of one kind, perhaps twice the same."""
        first = self.source()

        def kind(name: str) -> tuple:
            edge = self.edge(name)
            return edge.shape[1:], edge.bits, edge.signed

        others = [name for name in self.edges if kind(name) == kind(first)]
        chosen = [first, *map(str, self.rng.choice(others, self.between(1, 3)))]
        self.rng.shuffle(chosen)
        if sum(self.edge(name).shape[0] for name in chosen) > 2 * CHANNELS:
            return None
        return self.net.concat(self.name("concat"), *chosen)

    def grow(self, layers: int) -> None:
        """Add so many layers, or fewer if the shapes allow no more."""
        kinds = [self.conv] * 8 + [self.pool] * 2
        kinds += [self.add, self.shuffle, self.split, self.concat, self.linear]
        for _ in range(layers):
            for _ in range(TRIES):
                made = kinds[self.between(0, len(kinds) - 1)]()
                if made is not None:
                    self.edges.append(made)
                    break

    def build(self) -> Network:
        """The network, with one or two results."""
        self.net.output(self.edges[-1])
        if self.chance(0.3):
            self.net.output(str(self.rng.choice(self.edges[1:])), "second_output")
        return self.net.build()


def random_network(rng: np.random.Generator, config: Config, name: str = "random") -> Network:
    """A network that ``config`` can run, if its buffers are large enough: three to ten layers, each
    of at most LAYER_MACS products, on edges of 1 to 8 bits.
    """
    draw = _Draw(rng, config, name)
    draw.grow(int(rng.integers(3, 11)))
    if len(draw.edges) == 1:
        draw.edges.append(draw.shuffle())
    return draw.build()
