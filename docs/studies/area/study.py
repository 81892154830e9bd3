"""What gating costs in area, and what part of its cycles it saves, for several arrays.

    python docs/studies/area/study.py MASKS.npz SRAM_FOLDER > area.json

Cycles are those of `hwgen.cycles`, which equal the RTL's: the cost of four more images of a layer
after four others, computed one by one and four at a time; of two layers, 64 channels of 16x16 and
128 of 8x8. Areas are those of the memories,
bound as `hwgen synth --target asic` binds them; a bit in flip-flops takes FLIP_FLOP µm², as
synthesized with what writes and reads it. The logic of the gate is not in them.
"""

import json
import sys
from pathlib import Path

import numpy as np

from hwgen.accelerator import Accelerator
from hwgen.bench.workloads import Workload, masked_layer
from hwgen.config import Config, load
from hwgen.cycles import predict
from hwgen.flows.liberty import SramMacro, read_macros
from hwgen.flows.memories import smallest_tiling
from hwgen.memory import inventory
from hwgen.simulator.machine import Machine
from hwgen.simulator.rtl import MemoryModel

FLIP_FLOP = 86.0
PAGE = 4096
MEMORY = MemoryModel(latency=20, bandwidth=1.0)
IMAGES = 4
LAYERS = ("m0", "m2")

ARRAYS = {
    # D, V, slots loaded in a cycle, rows
    "D4 V8 w1": (4, 8, 1, 512),
    "D4 V8 w2": (4, 8, 2, 512),
    "D4 V8 w1 256": (4, 8, 1, 256),
    "D4 V16 w1": (4, 16, 1, 512),
    "D2 V8 w1": (2, 8, 1, 512),
    "D2 V16 w1": (2, 16, 1, 512),
    "D8 V8 w1": (8, 8, 1, 512),
    "D1 V8 w1": (1, 8, 1, 512),
}


def configuration(name: str, array: tuple[int, int, int, int]) -> Config:
    """``name`` with another shape of groups; 128 KiB of weights."""
    group, slots, loaded, rows = array
    word = 8 // group * loaded * 8
    settings = {
        "array.group": group,
        "array.slots": slots,
        "array.rows": rows,
        "memory.weight_slots": loaded,
        "memory.weight_words": (1 << 17) // word,
    }
    return load(name, settings)


def memory_area(config: Config, macros: tuple[SramMacro, ...]) -> float:
    """mm² of all memories."""
    total = 0.0
    for use in inventory(Accelerator(config)):
        area = use.depth * use.width * FLIP_FLOP
        tiling = smallest_tiling(use, macros)
        if tiling is not None:
            area = min(area, tiling.area)
        total += area * use.count
    return total / 1e6


def cycles(config: Config, workload: Workload) -> int:
    """Of a workload, with the decisions that its own data make."""
    memory = bytearray(workload.program.constants)
    bases = [0]
    for data in (workload.inputs, bytes(workload.output_bytes)):
        memory += bytes(-len(memory) % PAGE)
        bases.append(len(memory))
        memory += data
    machine = Machine(config, memory, bases)
    machine.run(workload.program)
    return predict(config, workload.program, machine.fired, MEMORY).cycles


def reached(config: Config, masks: np.ndarray, batch: int) -> float:
    """Part of the ideal reduction in cycles, in steady state."""
    few, many = (masked_layer(config, masks[:n], batch=batch) for n in (IMAGES, 2 * IMAGES))
    ideal = (many.macs - few.macs) / config.macs * (1 / 8 + 7 / 8 * masks[IMAGES:].mean())
    return ideal / (cycles(config, many) - cycles(config, few))


def main(masks_file: str, sram: str) -> None:
    with np.load(masks_file, allow_pickle=False) as file:
        masks = {name: file[name][: 2 * IMAGES].astype(bool) for name in LAYERS}
    macros = read_macros(Path(sram))
    rows = {}
    for name, array in ARRAYS.items():
        config, base = (configuration(kind, array) for kind in ("cgnet8", "baseline8"))
        row = {f"batch{n}": {k: reached(config, m, n) for k, m in masks.items()} for n in (1, 4)}
        row["memories"] = memory_area(config, macros)
        row["baseline"] = memory_area(base, macros)
        rows[name] = row
        means = [np.mean(list(row[f"batch{n}"].values())) for n in (1, 4)]
        extra = row["memories"] - row["baseline"]
        print(
            f"{name:14} one by one {means[0]:.3f}, four {means[1]:.3f}, extra {extra:.2f} mm2",
            file=sys.stderr,
            flush=True,
        )
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
