"""Placing and routing a design on an FPGA: how fast it is, and how full the device."""

import gzip
import json
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache

from hwgen.files import write_atomic
from hwgen.flows.block_ram import with_output_registers
from hwgen.flows.floorplan import DEVICE, fix_blocks
from hwgen.flows.modules import Module, digest_of, text_below
from hwgen.flows.nextpnr import check_fit, run_nextpnr
from hwgen.flows.parts import Part
from hwgen.flows.paths import Instances, Stretch, critical_path
from hwgen.flows.primitives import named
from hwgen.flows.process import identity
from hwgen.flows.slices import slices_taken
from hwgen.flows.yosys import run_yosys, version
from hwgen.simulator.rtl.build import cache_folder

__all__ = ["Placement", "Routing", "packed", "prepared", "route", "route_best"]

CACHE_FORMAT = 5
"""Part of every key: raised when what is kept changes its meaning."""

SYNTHESIS_FORMAT = 1
"""The same for what is known before a netlist is placed."""


def prepared(part: Part) -> list[str]:
    """Yosys commands between reading a design and synthesizing it for ``part``.

    Engines of a group get the same activations: made one, their registers could not lie beside all
    the multipliers that they feed. Likewise the registers that reset a block each, and where the
    weights for all groups come in. And a module that names a primitive must not be read again when
    the library comes: it is flattened by then. Both are for an ECP5 alone; for Gowin a module that
    stays gets pads around its ports.
    """
    if part.target != "ecp5":
        return []
    return [
        "setattr -mod -set keep_hierarchy 1 *parallel_mac* local_reset weight_door",
        "setattr -unset reprocess_after t:MULT18X18D",
    ]


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
    tried : dict
        If it is the fastest of several: for each seed, the MHz that were reached.
    """

    placement: Placement
    fmax: float | None
    used: dict[str, tuple[int, int]]
    path: tuple[Stretch, ...]
    tried: dict[int, float] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """MHz that were reached with half of the seeds; what to expect of another one."""
        return statistics.median(self.tried.values())

    @classmethod
    def read(cls, report: dict, placement: Placement, instances: Instances) -> "Routing":
        """From nextpnr's report."""
        speeds = [clock["achieved"] for clock in report["fmax"].values()]
        found = report["utilization"]
        used = {
            title: (found[cell]["used"], found[cell]["available"])
            for cell, title in placement.part.cells.items()
            if cell in found
        }
        path = critical_path(report["critical_paths"], instances)
        return cls(placement, min(speeds, default=None), used, path)

    def as_dict(self) -> dict:
        """For JSON."""
        return {
            "part": self.placement.part.name,
            "tool": self.placement.part.tool,
            "arguments": self.placement.arguments,
            "fmax": None if self.fmax is None else round(self.fmax, 2),
            "used": {name: {"used": u, "available": a} for name, (u, a) in self.used.items()},
            "critical_path": [stretch.as_dict() for stretch in self.path],
            **({"tried": self._tried(), "median": round(self.median, 2)} if self.tried else {}),
        }

    def _tried(self) -> dict[str, float]:
        return {str(seed): round(fmax, 2) for seed, fmax in self.tried.items()}


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
    (routing,) = _routings(top, modules, placement, [placement.seed], progress)
    return routing


def route_best(
    top: str,
    modules: dict[str, Module],
    placement: Placement,
    count: int,
    progress: Callable[[str], None] = lambda stage: None,
) -> Routing:
    """Like :func:`route`, with ``count`` seeds from that of ``placement`` on: the fastest, and what
    the others reached.
    """
    seeds = range(placement.seed, placement.seed + count)
    routings = []
    for routing in _routings(top, modules, placement, seeds, progress):
        routings.append(routing)
        progress(f"seed {routing.placement.seed}: {routing.fmax or 0:.1f} MHz")
    tried = {routing.placement.seed: routing.fmax or 0.0 for routing in routings}
    best = max(routings, key=lambda routing: routing.fmax or 0)
    return replace(best, tried=tried)


def _routings(
    top: str,
    modules: dict[str, Module],
    placement: Placement,
    seeds: Iterable[int],
    progress: Callable[[str], None],
) -> Iterator[Routing]:
    """A routing for each seed, of one netlist, which is made when the first is not known."""
    part = placement.part
    script = _script(top, part)
    design = text_below(top, modules)
    tools = [version(), identity(part.tool, part.package)]
    instances = Instances(top, modules)

    @cache
    def inputs() -> dict[str, str]:
        netlist = _synthesized(script, design, progress)
        pins = {"pins.cst": f'IO_LOC "clk" {part.clock_pin};\n'} if part.clock_pin else {}
        return {"netlist.json": packed(netlist, part, top), **pins}

    for seed in seeds:
        seeded = replace(placement, seed=seed)
        recipe = [CACHE_FORMAT, tools, script, seeded.arguments, design]
        kept = cache_folder() / "route" / f"{digest_of(recipe)}.json"
        try:
            report = json.loads(kept.read_text())
        except (OSError, ValueError):
            pins = ["--vopt", "cst=pins.cst"] if part.clock_pin else []
            arguments = [*seeded.arguments, *pins]
            report, _files = run_nextpnr(top, part, arguments, inputs(), (), progress)
            write_atomic(kept, json.dumps(report))
        yield Routing.read(report, seeded, instances)


def _synthesized(script: str, design: str, progress: Callable[[str], None]) -> str:
    """The netlist that the script makes of a design; kept for other seeds and other aims."""
    recipe = [SYNTHESIS_FORMAT, version(), script, design]
    path = cache_folder() / "netlists" / f"{digest_of(recipe)}.json.gz"
    try:
        return gzip.decompress(path.read_bytes()).decode()
    except (OSError, ValueError, EOFError):
        netlist = run_yosys(
            script,
            {"design.v": design},
            ("netlist.json",),
            lambda stage: progress(f"Yosys: {stage}"),
        )["netlist.json"]
        write_atomic(path, gzip.compress(netlist.encode(), compresslevel=1))
        return netlist


def packed(netlist: str, part: Part, name: str) -> str:
    """The netlist of a design with what blocks of the part can hold moved into them, and the blocks
    of a crowded part in their places.

    Raises
    ------
    UserError
        If nextpnr would look in vain for a place for all of it.
    """
    if part.slices:
        check_fit(part, {"slices": (slices_taken(netlist), part.slices)}, name)
    if part.target != "ecp5":
        return netlist
    document = json.loads(netlist)
    with_output_registers(document)
    if DEVICE in part.arguments:
        fix_blocks(document)
    return json.dumps(document)


def _script(top: str, part: Part) -> str:
    synthesis = f"{part.synthesis} -top {top}"
    lines = ["read_verilog design.v", *prepared(part), synthesis, *named(part.target)]
    if part.target != "ecp5":
        # These nextpnr know no blocks without pins: a wire that is no port any more needs none.
        lines += [f"select -set pins {top}/x:* {top}/w:clk %d", "delete -port @pins"]
    if part.target == "gowin":
        lines.append("iopadmap -bits -inpad IBUF O:I")
    return "\n".join([*lines, "write_json netlist.json"]) + "\n"
