"""Building a network layer by layer: shapes are inferred, tensors are named after their layer."""

import numpy as np

from . import layers as kinds
from .check import check
from .layers import Edge, Graph, Limits, Parameters
from .network import Network
from .shapes import output_shape

__all__ = ["Builder"]


class Builder:
    """Collects layers and tensors; every method adds one layer and returns its name.

    Parameters of requantization are dicts ``{"M": …, "B": …, "S": …, "Mb": …}`` of integers or of
    sequences with one integer per output channel. ``bits`` and ``signed`` describe the output; they
    default to those of the input, and ``lo``, ``hi`` to the whole range of the output.

    ::

        net = Builder("example")
        x = net.input((1, 28, 28))
        x = net.conv("conv1", x, weight, full={"M": 20000, "B": 0, "S": 24}, padding=(1, 1, 1, 1))
        net.output(net.linear("classifier", x, weight, full=…, signed=True))
        network = net.build()
    """

    def __init__(self, name: str, *, limits: Limits | None = None, info: dict | None = None):
        self.name = name
        self.limits = limits or Limits()
        self.info = dict(info or {})
        self.layers: list = []
        self.tensors: dict[str, np.ndarray] = {}
        self._edges: dict[str, Edge] = {}

    def edge(self, name: str) -> Edge:
        """What layer ``name`` gives out."""
        return self._edges[name]

    def input(self, shape, *, bits=8, signed=False, scale=None, full=None, name="input") -> str:
        """The input; with ``full``, how bytes become its integers."""
        edge = Edge(shape=tuple(shape), bits=bits, signed=signed, scale=scale)
        parameters = self._parameters(name, full, shape[0]) if full else None
        return self._append(kinds.Input(name=name, output=edge, full=parameters))

    def conv(
        self,
        name: str,
        source: str,
        weight,
        *,
        full: dict,
        residual: str | None = None,
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        groups=1,
        weight_bits=8,
        gate: dict | None = None,
        **output,
    ) -> str:
        """A convolution.

        ``gate`` holds the fields of a gate, with arrays in the place of names: ``{"kind":
        "channel", "count", "starts", "theta", "base"}`` or ``{"kind": "precision", "high_bits",
        "theta", "base"}``.
        """
        channels = len(weight)
        if gate:
            theta = np.broadcast_to(np.asarray(gate["theta"], dtype=np.int32), (channels,))
            gate = {
                **gate,
                "theta": self._tensor(f"{name}.theta", theta, np.int32),
                "base": self._parameters(f"{name}.base", gate["base"], channels),
            }
        return self._weighted(
            kinds.Conv,
            name,
            (source,) if residual is None else (source, residual),
            weight,
            weight_bits,
            output,
            in_channels=np.shape(weight)[1] * groups,
            out_channels=channels,
            kernel=tuple(np.shape(weight)[2:]),
            stride=stride,
            padding=padding,
            groups=groups,
            gate=gate,
            full=self._parameters(f"{name}.full", full, channels),
        )

    def linear(self, name: str, source: str, weight, *, full, weight_bits=8, **output) -> str:
        """A fully connected layer."""
        features = dict(zip(("out_features", "in_features"), np.shape(weight), strict=True))
        parameters = self._parameters(f"{name}.full", full, len(weight))
        return self._weighted(
            kinds.Linear, name, (source,), weight, weight_bits, output, full=parameters, **features
        )

    def add(self, name: str, a: str, b: str, *, full: dict, **output) -> str:
        """A residual add on its own."""
        parameters = self._parameters(f"{name}.full", full, self.edge(a).shape[0])
        return self._requantizing(kinds.Add, name, (a, b), output, full=parameters)

    def maxpool(self, name: str, source: str, kernel, stride=None, padding=(0, 0, 0, 0)) -> str:
        """Maximum pooling."""
        window = {"kernel": kernel, "stride": stride or kernel, "padding": padding}
        return self._addressing(kinds.MaxPool, name, (source,), **window)

    def avgpool(
        self, name: str, source: str, kernel, stride=None, padding=(0, 0, 0, 0), *, full, **output
    ) -> str:
        """Average pooling; ``full`` divides by the size of the window as well."""
        window = {"kernel": kernel, "stride": stride or kernel, "padding": padding}
        parameters = self._parameters(f"{name}.full", full, self.edge(source).shape[0])
        return self._requantizing(kinds.AvgPool, name, (source,), output, full=parameters, **window)

    def global_avgpool(self, name: str, source: str, *, full, **output) -> str:
        """Global average pooling; ``full`` divides by height times width as well."""
        parameters = self._parameters(f"{name}.full", full, self.edge(source).shape[0])
        return self._requantizing(kinds.GlobalAvgPool, name, (source,), output, full=parameters)

    def shuffle(self, name: str, source: str, groups: int) -> str:
        """Channel shuffle."""
        return self._addressing(kinds.Shuffle, name, (source,), groups=groups)

    def concat(self, name: str, *sources: str) -> str:
        """Concatenation along the channels."""
        return self._addressing(kinds.Concat, name, sources)

    def split(self, name: str, source: str, start: int, channels: int) -> str:
        """``channels`` channels from ``start``."""
        return self._addressing(kinds.Split, name, (source,), channels=channels, start=start)

    def flatten(self, name: str, source: str) -> str:
        """Channels, rows and columns as one axis of channels."""
        return self._addressing(kinds.Flatten, name, (source,))

    def output(self, source: str, name="output") -> str:
        """Marks a result."""
        return self._addressing(kinds.Output, name, (source,))

    def build(self) -> Network:
        """The network, checked; ValueError names the layer that is wrong."""
        graph = Graph(name=self.name, limits=self.limits, layers=tuple(self.layers), info=self.info)
        network = Network(graph, dict(self.tensors))
        check(network)
        return network

    def _append(self, layer) -> str:
        self.layers.append(layer)
        self._edges[layer.name] = layer.output
        return layer.name

    def _tensor(self, name: str, values, dtype) -> str:
        values = np.asarray(values)
        stored = values.astype(dtype)
        if not np.array_equal(stored, values):
            raise ValueError(f"tensor {name!r}: its values are no {np.dtype(dtype).name} integers")
        self.tensors[name] = np.ascontiguousarray(stored)
        return name

    def _parameters(self, prefix: str, values: dict, channels: int) -> Parameters:
        dtypes = {"M": np.int32, "B": np.int64, "S": np.uint8, "Mb": np.int32}
        return Parameters(
            **{
                key: self._tensor(
                    f"{prefix}.{key}", np.broadcast_to(values[key], (channels,)), dtype
                )
                for key, dtype in dtypes.items()
                if values.get(key) is not None
            }
        )

    def _place(self, cls, name, inputs, edge: dict, channels=None, **fields):
        """Append a layer after inferring its output shape from a draft of itself."""
        draft = Edge(shape=(channels or 1, 1, 1), **edge)
        layer = cls(name=name, inputs=inputs, output=draft, **fields)
        try:
            shape = output_shape(layer, [self.edge(n).shape for n in inputs])
        except ValueError as error:
            raise ValueError(f"layer {name!r}: {error}") from None
        return self._append(layer.model_copy(update={"output": Edge(shape=shape, **edge)}))

    def _weighted(self, cls, name, inputs, weight, weight_bits, output, **fields) -> str:
        tensor = self._tensor(f"{name}.weight", weight, kinds.weight_type(weight_bits))
        fields |= {"weight": tensor, "weight_bits": weight_bits}
        return self._requantizing(cls, name, inputs, output, **fields)

    def _requantizing(self, cls, name, inputs, output: dict, **fields) -> str:
        source = self.edge(inputs[0])
        edge = {
            "bits": output.pop("bits", source.bits),
            "signed": output.pop("signed", source.signed),
            "scale": output.pop("scale", None),
        }
        whole = Edge(shape=(1, 1, 1), **edge)
        clamps = {"lo": output.pop("lo", whole.lo), "hi": output.pop("hi", whole.hi)}
        if output:
            raise TypeError(f"unknown arguments: {sorted(output)}")
        return self._place(cls, name, inputs, edge, **clamps, **fields)

    def _addressing(self, cls, name, inputs, channels=None, **fields) -> str:
        source = self.edge(inputs[0])
        edge = {"bits": source.bits, "signed": source.signed, "scale": source.scale}
        return self._place(cls, name, tuple(inputs), edge, channels=channels, **fields)
