"""Where edges lie in memory."""

from dataclasses import replace

import numpy as np

from models.netfile import Edge, Network

from ..config import Config
from .compiled import WORK_BASE, View
from .tensors import Tensor

__all__ = ["Places"]


class Places:
    """Hands out the work area of a network.

    Members
    -------
    bytes : int
        Size of the area so far.
    targets : dict
        Layers that write straight into a concatenation, and which.
    """

    def __init__(self, network: Network, config: Config, batch: int, views: dict[str, View]):
        self.network, self.config, self.batch, self.views = network, config, batch, views
        self.bytes = 0
        self.targets = self._concat_targets()
        self._parts: dict[str, list[Tensor]] = {}
        self._packed: dict[tuple[int, int, tuple], Tensor] = {}
        paddings = [max(layer.padding[:2]) for layer in network.layers if layer.kind == "conv"]
        self._gap = max(paddings, default=0)

    def _take(self, size: int) -> None:
        """Bytes that are no longer free; bursts like to begin at a beat."""
        beat = self.config.bus.data_width // 8
        self.bytes += -(-size // beat) * beat

    def tensor(self, channels: int, rows: int, columns: int, edge: Edge) -> Tensor:
        """Room for a map of bytes with the values of ``edge``."""
        array = self.config.array
        # Small maps of a batch may be stacked in a tile: zeros between them then.
        small = self.batch > 1 and rows * columns <= 2 * array.rows // array.slots * array.clusters
        tensor = Tensor(
            WORK_BASE,
            self.bytes,
            channels,
            rows,
            columns,
            array.lanes,
            edge.signed and not edge.bipolar,
            self.batch,
            self._gap if small else 0,
            bipolar=edge.bipolar,
        )
        self._take(tensor.bytes)
        return tensor

    def packed(self, source: Tensor, plan) -> tuple[Tensor, bool]:
        """Room for ``source`` as a plan of widths wants it, and whether nobody has asked for that
        before.
        """
        key = (source.base, source.offset, plan.slices)
        if fresh := key not in self._packed:
            self._packed[key] = replace(
                source,
                base=WORK_BASE,
                offset=self.bytes,
                channels=source.places,
                lanes=plan.lanes,
                slices=plan.slices,
                first_plane=0,
            )
            self._take(self._packed[key].bytes)
        return self._packed[key], fresh

    def _concat_targets(self) -> dict[str, str]:
        """Layers that may write straight into a concatenation: computed ones, in one concatenation
        only.
        """
        computed = {"conv", "linear", "add", "maxpool", "avgpool", "global_avgpool"}
        targets: dict[str, str] = {}
        for layer in self.network.layers:
            if layer.kind == "concat":
                for name in layer.inputs:
                    if self.network.layer(name).kind in computed and layer.inputs.count(name) == 1:
                        targets.setdefault(name, layer.name)
        return targets

    def concat_parts(self, layer) -> list[Tensor]:
        """The tensors of a concatenation's inputs, whole planes each, one behind the other."""
        if layer.name not in self.views:
            lanes = self.config.array.lanes
            _, rows, columns = layer.output.shape
            edges = [self.network.layer(name).output for name in layer.inputs]
            planes = [-(-edge.shape[0] // lanes) for edge in edges]
            whole = self.tensor(sum(planes) * lanes, rows, columns, layer.output)
            starts = np.cumsum([0, *planes[:-1]])
            channels = [
                start * lanes + np.arange(edge.shape[0])
                for start, edge in zip(starts, edges, strict=True)
            ]
            self.views[layer.name] = View(whole, np.concatenate(channels))
            self._parts[layer.name] = [
                replace(
                    whole,
                    channels=edge.shape[0],
                    offset=whole.offset + int(start) * whole.plane_words * lanes,
                    first_plane=int(start),
                )
                for start, edge in zip(starts, edges, strict=True)
            ]
        return self._parts[layer.name]

    def output(self, layer, like: View | None = None) -> View:
        """Where a computed layer writes; ``like``: in the layout of that view, if it is free to
        choose.
        """
        shape = layer.output.shape
        if layer.name in self.targets:
            concat = self.network.layer(self.targets[layer.name])
            part = self.concat_parts(concat)[concat.inputs.index(layer.name)]
            return View(part, np.arange(shape[0]))
        if like is not None:
            tensor = self.tensor(like.tensor.channels, *shape[1:], layer.output)
            return View(tensor, like.channels)
        return View(self.tensor(*shape, layer.output), np.arange(shape[0]))
