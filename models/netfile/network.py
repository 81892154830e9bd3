"""An integer network in memory: the graph and its tensors."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .layers import Conv, Graph, Input, Layer, Linear, Output, Parameters
from .rounding import requantize

__all__ = ["Network", "Requantizer"]


@dataclass(frozen=True)
class Requantizer:
    """The parameters of one path of a layer, one integer per output channel (int64 arrays).

    ``bipolar``: 0 and 1, which lo and hi are then, stand for -1 and 1.
    """

    M: np.ndarray
    B: np.ndarray
    S: np.ndarray
    Mb: np.ndarray | None
    lo: int
    hi: int
    bipolar: bool = False

    def apply(self, acc, b=None):
        """Requantize ``acc`` of shape (images, channels, …), and add ``b`` where the layer has a
        residual.
        """
        shape = (1, -1) + (1,) * (np.ndim(acc) - 2)
        Mb = None if b is None else self.Mb.reshape(shape)
        y = requantize(
            acc,
            self.M.reshape(shape),
            self.B.reshape(shape),
            self.S.reshape(shape),
            self.lo,
            self.hi,
            b=b,
            Mb=Mb,
        )
        return 2 * y - 1 if self.bipolar else y


@dataclass(frozen=True)
class Network:
    """A graph (:class:`~models.netfile.layers.Graph`) with the integer tensors its layers name.

    Weights are int8 (int16 above 8 bits), M and Mb int32, B int64, S uint8, theta int32. Arrays are
    read, never written. Nothing here is checked: :func:`models.netfile.check` does that, and
    ``load`` and ``save`` call it.
    """

    graph: Graph
    tensors: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.graph.name

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers, every one after its inputs."""
        return self.graph.layers

    @cached_property
    def by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    def layer(self, name: str) -> Layer:
        """The layer of that name; KeyError if there is none."""
        return self.by_name[name]

    @property
    def input(self) -> Input:
        """The input layer."""
        return self.layers[0]

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The output layers; the first is the one that is classified by."""
        return tuple(layer for layer in self.layers if layer.kind == "output")

    @property
    def gated(self) -> tuple[Conv, ...]:
        """The convolutions that have a gate."""
        return tuple(layer for layer in self.layers if layer.kind == "conv" and layer.gate)

    def with_info(self, **info) -> "Network":
        """The same network with more said about it."""
        graph = self.graph.model_copy(update={"info": {**self.graph.info, **info}})
        return Network(graph, self.tensors)

    def edge(self, layer: Layer, index: int = 0):
        """The edge that input ``index`` of ``layer`` reads."""
        return self.by_name[layer.inputs[index]].output

    def consumers(self, name: str) -> tuple[Layer, ...]:
        """The layers that read the output of ``name``."""
        return tuple(layer for layer in self.layers if name in layer.inputs)

    def tensor(self, name: str) -> np.ndarray:
        """The tensor of that name."""
        return self.tensors[name]

    def weight(self, layer: Conv | Linear) -> np.ndarray:
        """Weights of a convolution (O, I / groups, kh, kw) or of a fully connected layer (O, I)."""
        return self.tensors[layer.weight]

    def requantizer(self, layer: Layer, path: str = "full") -> Requantizer:
        """Parameters of the ``full`` or, of a gated layer, the ``base`` path; lo and hi are the
        same for both.

        An input layer with parameters has them for raw bytes.
        """
        parameters = layer.full if path == "full" else layer.gate.base
        if layer.output.bipolar:
            return self._requantizer(parameters, 0, 1, bipolar=True)
        if layer.kind == "input":
            return self._requantizer(parameters, layer.output.lo, layer.output.hi)
        return self._requantizer(parameters, layer.lo, layer.hi)

    def _requantizer(self, parameters: Parameters, lo, hi, *, bipolar=False) -> Requantizer:
        M, B, S = (
            self.tensors[n].astype(np.int64) for n in (parameters.M, parameters.B, parameters.S)
        )
        Mb = self.tensors[parameters.Mb].astype(np.int64) if parameters.Mb else None
        return Requantizer(M, B, S, Mb, lo, hi, bipolar)

    def theta(self, layer: Conv) -> np.ndarray:
        """Thresholds of a gated convolution: an output fires when ``base_acc > theta``."""
        return self.tensors[layer.gate.theta].astype(np.int64)

    def base_weight_mask(self, layer: Conv) -> np.ndarray:
        """(out_channels, in_channels / groups) booleans: which input channels the base pass of each
        output uses.

        A precision gate uses all of them, with the high bits of the activations.
        """
        mask = np.zeros((layer.out_channels, layer.in_channels // layer.groups), dtype=bool)
        if layer.gate is None or layer.gate.kind == "precision":
            return ~mask
        run = layer.out_channels // len(layer.gate.starts)
        for index, start in enumerate(layer.gate.starts):
            mask[index * run : (index + 1) * run, start : start + layer.gate.count] = True
        return mask
