"""Running nextpnr: what it reports, and in the user's words what does not fit."""

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from hwgen.errors import UserError
from hwgen.flows.parts import Part
from hwgen.flows.process import run_tool

__all__ = ["check_fit", "run_nextpnr"]

STAGES = (
    ("Pack", "packing"),
    ("Running.*placer|Creating initial", "placing"),
    ("Running.*refinement", "refining the placement"),
    ("Routing", "routing"),
    ("Critical path", "timing"),
)
"""What nextpnr says when it begins something."""

STEPS = (
    (r"Info: +at iteration #(\d+)", "round {}"),
    (r"Info: +iter=(\d+) ", "round {}"),
    (r"Info: +\d+ \|(?:[ \d]+\|){2} +(\d+)\|", "{} connections left"),
)
"""What it says while a stage lasts: of the placers, ``router2`` and ``router1``."""

LOWER = {
    "LUTs": "array.clusters, array.engines, array.slots, array.group or control.queue_depth",
    "flip-flops": "array.clusters, array.engines, array.slots, array.queue or control.queue_depth",
    "carries": "array.clusters or array.engines",
    "DSPs": "array.clusters, array.engines, array.lanes or drain.lanes, or give array.mac=serial",
    "DSPs of 9 bits": "array.clusters, array.engines or array.lanes, or give array.mac=serial",
    "block RAM": "memory.activation_words, memory.weight_words, array.rows or array.clusters",
    "slices": "array.clusters, array.engines, array.slots, array.queue or control.queue_depth",
    "LUT RAM": "array.slots, array.group or control.queue_depth",
}
"""For each resource, the parameters of which it takes most."""


def run_nextpnr(
    name: str,
    part: Part,
    arguments: list[str],
    inputs: dict[str, str],
    outputs: tuple[str, ...],
    progress: Callable[[str], None],
) -> tuple[dict, dict[str, bytes]]:
    """Place and route; returns the report and the files that were made.

    Parameters
    ----------
    name
        Of the design.
    part
        Where it goes.
    arguments
        Of the command line.
    inputs
        File names and texts: ``netlist.json``, and what the arguments name.
    outputs
        Names of files that the arguments ask for.
    progress
        Called with a few words before each stage.

    Raises
    ------
    UserError
        If the device is too small.
    """
    used: dict[str, tuple[int, int]] = {}
    stage = complaint = ""

    def told(line: str):
        nonlocal stage, complaint
        for pattern, begun in STAGES:
            if re.match(rf"Info: ({pattern})", line):
                stage = begun
                progress(f"nextpnr: {stage}")
        for pattern, step in STEPS:
            if match := re.match(pattern, line):
                progress(f"nextpnr: {stage}, {step.format(match[1])}")
        if match := re.match(r"Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", line):
            used[match[1]] = (int(match[2]), int(match[3]))
        if line.startswith("ERROR"):
            complaint = line.removeprefix("ERROR: ")

    with tempfile.TemporaryDirectory() as folder:
        for file, text in inputs.items():
            Path(folder, file).write_text(text)
        files = ["--json", "netlist.json", "--report", "report.json"]
        if run_tool(part.tool, [*arguments, *files], folder, told):
            named = {part.cells[cell]: use for cell, use in used.items() if cell in part.cells}
            check_fit(part, named, name)
            if stage in ("placing", "routing") and complaint and named:
                raise UserError(_too_full(part, named, name, stage, complaint))
            raise RuntimeError(f"{part.tool} failed: {complaint}")
        report = json.loads(Path(folder, "report.json").read_text())
        kept = {key: report[key] for key in ("fmax", "utilization", "critical_paths")}
        return kept, {file: Path(folder, file).read_bytes() for file in outputs}


def _too_full(
    part: Part, used: dict[str, tuple[int, int]], name: str, stage: str, complaint: str
) -> str:
    """What to tell of a design that has room by count, but for which no place or way is found."""
    fullest = max(used, key=lambda resource: used[resource][0] / used[resource][1])
    amount, available = used[fullest]
    lower = f": lower {LOWER[fullest]}" if fullest in LOWER else ""
    return (
        f"{name} does not fit {part.name}: {part.tool} gives up {stage} it ({complaint}); fullest "
        f"are {amount:,} {fullest} of {available:,}{lower}"
    )


def check_fit(part: Part, used: dict[str, tuple[int, int]], name: str) -> None:
    """A UserError that says of which resource there is not enough, if there is one.

    Parameters
    ----------
    part
        Where the design should go.
    used
        For each resource, how many it takes and how many there are.
    name
        Of the design.
    """
    over = {
        resource: (amount, available)
        for resource, (amount, available) in used.items()
        if amount > available
    }
    if not over:
        return
    told = "; ".join(
        f"{amount:,} {resource} of {available:,} ({amount - available:,} too many"
        + (f": lower {LOWER[resource]})" if resource in LOWER else ")")
        for resource, (amount, available) in over.items()
    )
    raise UserError(f"{name} does not fit {part.name}: it takes {told}")
