"""Placing and routing a design on an FPGA: how fast it is, and how full the device."""

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hwgen.errors import UserError
from hwgen.files import write_atomic
from hwgen.flows.modules import Module, digest_of, text_below
from hwgen.flows.parts import Part
from hwgen.flows.paths import Instances, Stretch, critical_path
from hwgen.flows.process import identity, run_tool
from hwgen.flows.yosys import run_yosys, version
from hwgen.simulator.rtl.build import cache_folder

__all__ = ["Placement", "Routing", "check_fit", "route"]

CACHE_FORMAT = 1
"""Part of every key: raised when what is kept changes its meaning."""

STAGES = (
    ("Pack", "packing"),
    ("Running.*placer|Creating initial", "placing"),
    ("Routing", "routing"),
    ("Critical path", "timing"),
)
"""What nextpnr says when it begins something."""

LOWER = {
    "LUTs": "array.clusters, array.engines, array.slots or array.group",
    "flip-flops": "array.clusters, array.engines, array.slots or array.queue",
    "carries": "array.clusters or array.engines",
    "DSPs": "array.clusters, array.engines, array.lanes or drain.lanes, or give array.mac=serial",
    "DSPs of 9 bits": "array.clusters, array.engines or array.lanes, or give array.mac=serial",
    "block RAM": "memory.activation_words, memory.weight_words, array.rows or array.clusters",
    "LUT RAM": "array.slots, array.group or control.queue_depth",
}
"""For each resource, the parameters of which it takes most."""


@dataclass(frozen=True)
class Placement:
    """How a design is placed and routed.

    Attributes
    ----------
    part : Part
        On what.
    frequency : float
        MHz that the placer and the router try to reach.
    seed : int
        Of the placer; results differ by some percent from seed to seed.
    """

    part: Part
    frequency: float = 100.0
    seed: int = 1

    @property
    def arguments(self) -> list[str]:
        """Of nextpnr. The ports of a design have no pins: it may be a block of a larger one."""
        alone = ["--out-of-context"] if self.part.target == "ecp5" else []
        wanted = ["--freq", f"{self.frequency:g}", "--seed", str(self.seed)]
        return [*self.part.arguments, *alone, *wanted, "--timing-allow-fail"]


@dataclass(frozen=True)
class Routing:
    """A design that has been placed and routed.

    Attributes
    ----------
    placement : Placement
        Where and how.
    fmax : float or None
        MHz that were reached; None of a design without a path from clock to clock.
    used : dict
        For each resource of the part, how many are used and how many there are.
    path : tuple of Stretch
        The critical path.
    """

    placement: Placement
    fmax: float | None
    used: dict[str, tuple[int, int]]
    path: tuple[Stretch, ...]

    def as_dict(self) -> dict:
        """For JSON."""
        return {
            "part": self.placement.part.name,
            "tool": self.placement.part.tool,
            "arguments": self.placement.arguments,
            "fmax": None if self.fmax is None else round(self.fmax, 2),
            "used": {name: {"used": u, "available": a} for name, (u, a) in self.used.items()},
            "critical_path": [stretch.as_dict() for stretch in self.path],
        }


def route(
    top: str,
    modules: dict[str, Module],
    placement: Placement,
    progress: Callable[[str], None] = lambda stage: None,
) -> Routing:
    """Place and route a module with all within, out of context.

    The result is kept under a hash of all that it depends on.

    Parameters
    ----------
    top
        The module.
    modules
        All modules of the design.
    placement
        Where and how.
    progress
        Called with a few words before each stage.

    Raises
    ------
    UserError
        If it does not fit.
    """
    part = placement.part
    script = _script(top, part)
    design = text_below(top, modules)
    tools = [version(), identity(part.tool, part.package)]
    recipe = [CACHE_FORMAT, tools, script, placement.arguments, design]
    kept = cache_folder() / "route" / f"{digest_of(recipe)}.json"
    try:
        report = json.loads(kept.read_text())
    except (OSError, ValueError):
        netlist = run_yosys(
            script,
            {"design.v": design},
            ("netlist.json",),
            lambda stage: progress(f"Yosys: {stage}"),
        )["netlist.json"]
        report = _nextpnr(top, netlist, placement, progress)
        write_atomic(kept, json.dumps(report))
    speeds = [clock["achieved"] for clock in report["fmax"].values()]
    used = {
        title: (report["utilization"][cell]["used"], report["utilization"][cell]["available"])
        for cell, title in part.cells.items()
        if cell in report["utilization"]
    }
    path = critical_path(report["critical_paths"], Instances(top, modules))
    return Routing(placement, min(speeds, default=None), used, path)


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


def _script(top: str, part: Part) -> str:
    lines = ["read_verilog design.v", f"{part.synthesis} -top {top}"]
    if part.target != "ecp5":
        # These nextpnr know no blocks without pins: a wire that is no port any more needs none.
        lines += [f"select -set pins {top}/x:* {top}/w:clk %d", "delete -port @pins"]
    if part.target == "gowin":
        lines.append("iopadmap -bits -inpad IBUF O:I")
    return "\n".join([*lines, "write_json netlist.json"]) + "\n"


def _nextpnr(top: str, netlist: str, placement: Placement, progress) -> dict:
    """nextpnr's report; a UserError if the device is too small."""
    part = placement.part
    used: dict[str, tuple[int, int]] = {}
    complaint = ""

    def told(line: str):
        nonlocal complaint
        for pattern, stage in STAGES:
            if re.match(rf"Info: {pattern}", line):
                progress(f"nextpnr: {stage}")
        if match := re.match(r"Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", line):
            used[match[1]] = (int(match[2]), int(match[3]))
        if line.startswith("ERROR"):
            complaint = line

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "netlist.json").write_text(netlist)
        files = ["--json", "netlist.json", "--report", "report.json"]
        if part.clock_pin:
            Path(folder, "pins.cst").write_text(f'IO_LOC "clk" {part.clock_pin};\n')
            files += ["--vopt", "cst=pins.cst"]
        status = run_tool(part.tool, [*placement.arguments, *files], folder, told)
        if status:
            named = {part.cells[cell]: use for cell, use in used.items() if cell in part.cells}
            check_fit(part, named, top)
            raise RuntimeError(f"{part.tool} failed: {complaint}")
        report = json.loads(Path(folder, "report.json").read_text())
        return {name: report[name] for name in ("fmax", "utilization", "critical_paths")}
