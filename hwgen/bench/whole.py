"""Whole networks: gated against dense and against the ideal, by the cycle model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from models.netfile import Network

from ..compiler.decisions import decisions
from ..compiler.file import summary
from ..compiler.network import Compiled, compile_network
from ..config import Config
from ..cycles import predict
from ..simulator.rtl import MemoryModel
from .reasons import cycles_by_reason

__all__ = ["Case", "against", "compare", "needed_macs", "run", "ungated"]

Say = Callable[[str], None]
"""Told what is being done."""


def ungated(network: Network) -> Network:
    """The same network without gates: every output is computed in full."""
    layers = tuple(
        layer.model_copy(update={"gate": None}) if layer.kind == "conv" else layer
        for layer in network.layers
    )
    used = {name for layer in layers for name in layer.tensors}
    tensors = {name: tensor for name, tensor in network.tensors.items() if name in used}
    graph = network.graph.model_copy(update={"layers": layers})
    return replace(network, graph=graph, tensors=tensors)


def needed_macs(
    network: Network, masks: Mapping[str, np.ndarray] | None, images: int
) -> dict[str, float]:
    """For each layer the products that have to be computed; without ``masks`` all of them."""
    macs = {}
    for layer in network.layers:
        part = 1.0
        if masks is not None and layer.kind == "conv" and layer.gate is not None:
            base, fired = float(network.base_weight_mask(layer).mean()), masks[layer.name].mean()
            precision = layer.gate.kind == "precision"
            part = 1 + float(fired) if precision else base + (1 - base) * float(fired)
        macs[layer.name] = layer.macs * part * images
    return macs


@dataclass(frozen=True)
class Case:
    """A network compiled for a configuration, and the decisions of its gates (None: all fire)."""

    compiled: Compiled
    masks: Mapping[str, np.ndarray] | None = None

    @classmethod
    def of(cls, network: Network, config: Config, masks=None, batch: int = 1) -> "Case":
        """Compile, with the densities of the masks."""
        gated = masks is not None and config.array.gated
        densities = {k: m.mean((0, 2, 3)) for k, m in masks.items()} if gated else None
        chosen = network if gated else ungated(network)
        return cls(
            compile_network(chosen, config, densities, batch=batch), masks if gated else None
        )

    def decided(self) -> list[np.ndarray] | None:
        """The decisions of the gates in the order of the program; None if all fire."""
        if self.masks is None:
            return None
        return decisions(self.compiled.config, self.compiled.program, self.masks)

    def needed(self) -> dict[str, float]:
        """Products of each layer."""
        return needed_macs(self.compiled.network, self.masks, self.compiled.batch)


def run(case: Case, memory: MemoryModel, say: Say = lambda step: None) -> dict:
    """Cycles of a run, and where they went."""
    compiled, config = case.compiled, case.compiled.config
    needed = case.needed()
    least = sum(needed.values()) / config.macs

    def progress(cycles: int) -> None:
        say(f"{config.name}, {cycles / 1e6:.0f} M of ≥ {least / 1e6:.0f} M cycles")

    prediction = predict(config, compiled.program, case.decided(), memory, progress=progress)
    useful = {layer: macs / config.macs for layer, macs in needed.items()}
    rows = {row["layer"]: row for row in summary(compiled)}
    layers, places = [], [layer.name for layer in compiled.network.layers]
    told = cycles_by_reason(compiled.program, prediction, useful)
    # Loads run ahead, so that a program may begin a later layer first. Copies are of no layer.
    for layer in sorted(told, key=lambda name: places.index(name) if name in places else -1):
        reasons = told[layer]
        row = rows.get(layer, {"loaded": 0, "stored": 0})
        layers.append(
            {
                "layer": layer,
                "cycles": sum(reasons.values()),
                "reasons": reasons,
                "macs": needed.get(layer, 0.0),
                "bytes": row["loaded"] + row["stored"],
            }
        )
    macs = sum(needed.values())
    return {
        "config": config.name,
        "network": compiled.network.name,
        "batch": compiled.batch,
        "bytes_a_cycle": memory.bandwidth * config.bus.data_width / 8,
        "cycles": prediction.cycles,
        "cycles_an_image": prediction.cycles / compiled.batch,
        "macs": macs,
        "ideal_cycles": macs / config.macs,
        "utilization": macs / config.macs / prediction.cycles,
        "bytes_read": prediction.counters["BYTES_READ"],
        "bytes_written": prediction.counters["BYTES_WRITTEN"],
        "layers": layers,
    }


def compare(gated: Case, dense: Case, memory: MemoryModel, say: Say = lambda step: None) -> dict:
    """A gated network against the dense one on the array without gates, and against the ideal."""
    return against(gated, run(gated, memory, say), run(dense, memory, say))


def against(gated: Case, with_gates: dict, without: dict) -> dict:
    """The run of a gated network against that of the dense one.

    ``speedup`` is dense cycles over gated ones. ``ideal`` is how many times fewer products there
    are; ``reached`` the part of it that the speed-up reaches.
    """
    speedup = without["cycles"] / with_gates["cycles"]
    ideal = without["macs"] / with_gates["macs"]
    names = {layer.name for layer in gated.compiled.network.gated}
    return {
        "gated": with_gates,
        "dense": without,
        "speedup": speedup,
        "ideal": ideal,
        "reached": speedup / ideal,
        "gated_layers": _of_gated_layers(with_gates, without, names),
    }


def _of_gated_layers(gated: dict, dense: dict, names: set[str]) -> dict:
    """The same for the gated layers alone."""
    part = {
        what: {key: sum(r[key] for r in run["layers"] if r["layer"] in names) for key in keys}
        for what, run, keys in (
            ("gated", gated, ("cycles", "macs")),
            ("dense", dense, ("cycles", "macs")),
        )
    }
    if not part["gated"]["cycles"]:
        return {}
    speedup = part["dense"]["cycles"] / part["gated"]["cycles"]
    ideal = part["dense"]["macs"] / part["gated"]["macs"]
    return {"speedup": speedup, "ideal": ideal, "reached": speedup / ideal}
