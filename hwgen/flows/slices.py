"""Slices of a Gowin FPGA: what LUTs, adders and flip-flops take together, known before placing."""

import json

__all__ = ["slices_taken"]

SLICES = {"LUT1": 1, "LUT2": 1, "LUT3": 1, "LUT4": 1, "ALU": 1, "RAM16SDP4": 4}
"""What each cell takes."""

OUTPUTS = {"LUT1": "F", "LUT2": "F", "LUT3": "F", "LUT4": "F", "ALU": "SUM"}
"""Behind each of these there is room for a flip-flop."""


def slices_taken(netlist: str) -> int:
    """How many slices a netlist of Yosys takes at least.

    The way to a flip-flop leads through the LUT of its slice: one that does not store what that LUT
    or ALU gives takes a slice of its own.
    """
    modules = json.loads(netlist)["modules"].values()
    (top,) = (module for module in modules if int(module["attributes"].get("top", "0"), 2))
    cells = [(cell["type"], cell["connections"]) for cell in top["cells"].values()]
    taken = sum(SLICES.get(kind, 0) for kind, _ in cells)
    room = {wires[OUTPUTS[kind]][0] for kind, wires in cells if kind in OUTPUTS}
    stored = [wires["D"][0] for kind, wires in cells if kind.startswith("DFF")]
    return taken + len(stored) - len(room.intersection(stored))
