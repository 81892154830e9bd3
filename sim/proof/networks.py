"""The networks of the repository on shipped configurations."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hwgen.bench.whole import ungated
from hwgen.compiler.network import compile_network
from hwgen.config import Config, load
from hwgen.errors import UserError
from hwgen.simulator.compare import profile
from hwgen.simulator.rtl import MemoryModel

from .program import Difference, prove
from .subjects import Subject, subject

__all__ = ["CONFIGURATIONS", "key_of", "prove_network", "prove_subject", "table"]

CONFIGURATIONS = ("cgnet8", "tiny", "baseline8")

MEMORIES = (MemoryModel(), MemoryModel(stall=0.1))
"""One that the cycle model knows, and one that stalls at random."""

UNREAD = ("input", "flatten")
"""Kinds of layers that write nothing."""

COLUMNS = ("form", "layers", "gated", "fired", "images", "edges", "cycles")


def key_of(name: str, configuration: str) -> str:
    """How a network on a configuration is called."""
    return f"{name} on {configuration}"


def prove_network(key: str) -> dict:
    """The network and the configuration of a key like "resnet-8 on tiny"; facts for the report."""
    name, _, configuration = key.partition(" on ")
    config = load(configuration)
    return prove_subject(subject(name, config), config)


def prove_subject(one: Subject, config: Config, memories: Sequence[MemoryModel] = MEMORIES) -> dict:
    """Every edge of a network on the Verilog of ``config``, and every counter.

    What the configuration cannot run is told in ``refused``. A network that is refused for want of
    gates is run without them.
    """
    facts: dict = {"form": one.form}
    network, densities = one.network, profile(one.network, one.images)
    try:
        compiled = compile_network(network, config, densities, batch=one.batch)
    except UserError as refusal:
        facts["refused"] = str(refusal)
        if not network.gated or config.array.gated:
            return facts
        network = ungated(network)
        compiled = compile_network(network, config, batch=one.batch)
    found = prove(compiled, one.images, list(memories), integers=False)
    edges = sum(layer.kind not in UNREAD for layer in network.layers)
    edges *= len(one.images) * len(memories)
    if found["edges"] != edges:
        raise Difference(f"{found['edges']} edges were compared, there are {edges}")
    facts |= {"layers": len(network.layers), "gated": len(network.gated)}
    if network.gated:
        facts["fired"] = f"{_fired(densities, network.gated):.0%}"
    return facts | {"images": len(one.images), **found}


def _fired(densities: Mapping[str, np.ndarray], gated: Iterable) -> float:
    """Share of the outputs of all gates that passed."""
    sizes = [layer.output.size for layer in gated]
    return float(np.average([densities[layer.name].mean() for layer in gated], weights=sizes))


def table(rows: Iterable[Mapping]) -> str:
    """What was found, for a page."""
    lines = ["| network | " + " | ".join(COLUMNS) + " | different | refused |"]
    lines.append("|---|---|" + "---:|" * len(COLUMNS) + "---|")
    for row in rows:
        cells = [row.get(column, "") for column in COLUMNS]
        cells = [f"{cell:,}" if isinstance(cell, int) else cell for cell in cells]
        different = row.get("difference", 0 if "edges" in row else "")
        cells = [row["key"], *cells, different, row.get("refused", "")]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)
