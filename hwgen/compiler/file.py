"""Program files: instructions, constants and where a network's edges lie, for one configuration."""

import hashlib
import json
from collections import defaultdict
from dataclasses import asdict

import numpy as np

from ..rtl.mac import facts
from .choice import Choice
from .compiled import Compiled
from .program import encode

__all__ = ["FORMAT", "listing", "program_bytes", "summary"]

FORMAT = 3
KEY = "hwgen-program"


def program_bytes(compiled: Compiled) -> bytes:
    """A ``.safetensors`` file: tensors `program` and `constants`, and what a driver has to know."""
    from safetensors.numpy import save

    code, constants = encode(compiled.program, compiled.config), compiled.program.constants
    document = {
        "format": FORMAT,
        "network": compiled.network.name,
        "config": compiled.config.name,
        "config_hash": compiled.config.hash,
        "work_bytes": compiled.work_bytes,
        "batch": compiled.batch,
        "input_bytes": compiled.input.bytes,
        "input": [asdict(packing) for packing in compiled.input.packings],
        "views": {
            name: {"tensor": asdict(view.tensor), "channels": view.channels.tolist()}
            for name, view in compiled.views.items()
        },
        "sha256": hashlib.sha256(code + constants).hexdigest(),
    }
    tensors = {
        "program": np.frombuffer(code, np.uint8).reshape(-1, 32),
        "constants": np.frombuffer(constants, np.uint8),
    }
    return save(tensors, {KEY: json.dumps(document, sort_keys=True)})


def listing(compiled: Compiled) -> str:
    """The program for people: an instruction a line, with its tokens and what it is for."""
    lines = [
        f"# {compiled.network.name} for {compiled.config.name} ({compiled.config.hash[:16]})",
        *(f"# {name}: {_chosen(choice)}" for name, choice in compiled.choices.items()),
        "# number  instruction  waits for  gives  purpose",
    ]
    for number, step in enumerate(compiled.program.steps):
        waits = ",".join(map(str, sorted(step.wait))) or "-"
        gives = ",".join(map(str, sorted(step.post))) or "-"
        lines.append(f"{number:6d}  {step.name:<6}  {waits:<10}  {gives:<10}  {step.note}")
    return "\n".join(lines) + "\n"


def _chosen(choice: Choice) -> str:
    """The plan of a layer, who decided on it, and what others would cost."""
    plans = [
        f"{plan.order} {'x'.join(map(str, plan.tile))} {plan.cycles:,.0f} cycles"
        for plan in choice.plans
    ]
    return f"by the {choice.by} {plans[0]}" + "".join(f", not {plan}" for plan in plans[1:])


def summary(compiled: Compiled) -> list[dict]:
    """For each layer that computes: how it is cut, and what other plans would cost; its modes, its
    instructions, bytes to load and store, MACs, and cycles of the array if every output is computed
    and nothing has to wait;
    ``peak`` is how many products the array makes a cycle in these modes.
    """
    config = compiled.config
    unit = facts(config)
    words = (config.vector_bits // 8, config.weight_word_bits // 8, 32)
    rows: dict[str, dict] = {}
    places: dict[str, int] = defaultdict(int)  # of products, beside those of other engines
    work = [s for s in compiled.program.steps if s.unit in ("array", "vector")]
    first = list(dict.fromkeys(step.note.partition(":")[0] for step in work))
    for step in compiled.program.steps:
        layer = step.note.partition(":")[0]
        if step.name == "END":
            continue
        row = rows.setdefault(
            layer,
            {
                "layer": layer,
                "order": None,
                "modes": [],
                "tile": None,
                "decided_by": None,
                "plans": [],
                "tiles": 0,
                "instructions": 0,
                "loaded": 0,
                "stored": 0,
                "array_cycles": 0,
            },
        )
        row["instructions"] += 1
        f = step.fields
        if step.name in ("LOAD", "STORE"):
            size = f["words"] * f["rows"] * f["planes"] * words[f.get("target", 0)]
            if f.get("bits"):
                size = -(-size * f["bits"] // (1 << f["room"]))
            row["loaded" if step.name == "LOAD" else "stored"] += size
        elif step.name == "PASS":
            positions = -(-f["positions"] // config.array.clusters)
            mode = unit.modes[f["mode"]]
            vectors = positions * f["slots"] * f["chunks"]
            row["array_cycles"] += vectors * unit.steps_in(mode)
            places[layer] += vectors * unit.lanes_in(mode)
            row["tiles"] += f["first"]
            if str(mode) not in row["modes"]:
                row["modes"].append(str(mode))
        elif step.name == "VECTOR" and layer not in compiled.plans:
            row["tiles"] += 1
    macs = {layer.name: layer.macs * compiled.batch for layer in compiled.network.layers}
    for row in rows.values():
        if (choice := compiled.choices.get(row["layer"])) is not None:
            row["order"], row["tile"] = choice.plan.order, choice.plan.tile
            row["decided_by"] = choice.by
            row["plans"] = [
                {"order": plan.order, "tile": plan.tile, "cycles": round(plan.cycles)}
                for plan in choice.plans
            ]
        row["macs"] = macs.get(row["layer"], 0)
        cycles, engines = row["array_cycles"], config.array.clusters * config.array.engines
        row["peak"] = places[row["layer"]] * engines / cycles if cycles else None
        row["utilization"] = row["macs"] / (cycles * row["peak"]) if cycles else None
    return sorted(rows.values(), key=lambda row: first.index(row["layer"]))
