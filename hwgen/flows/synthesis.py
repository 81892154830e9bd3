"""One configuration on one target: what it costs, block by block."""

import difflib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hwgen.config import Config
from hwgen.errors import UserError
from hwgen.flows.blocks import Block, block_tree
from hwgen.flows.cell_timing import CellTiming, cell_timing
from hwgen.flows.design import design_of
from hwgen.flows.lanes import Lanes
from hwgen.flows.liberty import Cells, SramMacro, read_cells, read_macros
from hwgen.flows.memories import Tiling, smallest_tiling
from hwgen.flows.modules import Module, cells_of_modules
from hwgen.flows.nextpnr import check_fit
from hwgen.flows.parts import part_named
from hwgen.flows.primitives import with_primitives
from hwgen.flows.route import Placement, Routing, route, route_best
from hwgen.flows.targets import RESOURCES, Target, target_named
from hwgen.flows.yosys import SynthesisFailed
from hwgen.memory import MemoryUse
from hwgen.processes import together

__all__ = ["Aim", "Bound", "Libraries", "Report", "synthesize"]

FORMAT_VERSION = 1
"""Of the JSON; raised when a reader of the old one could go wrong."""


@dataclass(frozen=True)
class Libraries:
    """What target ``asic`` needs of a process: cells, and possibly memories."""

    cells: Cells
    macros: tuple[SramMacro, ...] = ()

    @classmethod
    def read(cls, liberty: tuple[Path, ...], sram: Path | None) -> "Libraries":
        """From the files that the user names; a UserError if one will not do."""
        return cls(read_cells(liberty), read_macros(sram) if sram else ())


@dataclass(frozen=True)
class Aim:
    """The clock to aim at, in MHz; on an FPGA, the placer's seed and the part, if not the default.

    ``part`` is a name in :data:`hwgen.flows.parts.PARTS`. With ``seeds``, so many are tried from
    ``seed`` on, and the fastest counts.
    """

    frequency: float = 100.0
    seed: int = 1
    part: str | None = None
    seeds: int = 1


@dataclass(frozen=True)
class Bound:
    """A kind of memory of a design, and what it became."""

    use: MemoryUse
    form: str
    area: float | None = None

    def as_dict(self) -> dict:
        """For JSON; the area is that of all instances."""
        return self.use.as_dict() | {"form": self.form, "area": self.area}


@dataclass(frozen=True)
class Report:
    """What a design costs on a target."""

    config: Config
    target: Target
    top: str
    blocks: Block
    memories: tuple[Bound, ...]
    libraries: tuple[str, ...] = ()
    timing: Routing | CellTiming | None = None

    @property
    def total(self) -> Counter:
        """Resources of the whole design."""
        return self.blocks.total

    @property
    def memory_bits(self) -> int:
        """Bits of all memories."""
        return sum(bound.use.bits for bound in self.memories)

    @property
    def unbound(self) -> tuple[Bound, ...]:
        """Memories for which no area is known, so that the total lacks them."""
        return tuple(bound for bound in self.memories if bound.form == "not counted")

    def as_dict(self) -> dict:
        """For JSON."""
        resources = self.target.resources
        return {
            "format": "hwgen-synthesis",
            "format_version": FORMAT_VERSION,
            "name": self.config.name,
            "hash": self.config.hash,
            "target": self.target.name,
            "module": self.top,
            "libraries": list(self.libraries),
            "total": {resource: round(self.total[resource], 4) for resource in resources},
            "memory_bits": self.memory_bits,
            "memories": [bound.as_dict() for bound in self.memories],
            "blocks": self.blocks.as_dict(resources),
            **({"timing": self.timing.as_dict()} if self.timing else {}),
        }


def synthesize(
    config: Config,
    target: str,
    *,
    module: str | None = None,
    libraries: Libraries | None = None,
    aim: Aim | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> Report:
    """Synthesize the accelerator of ``config``, or one module of it with all within.

    Parameters
    ----------
    config
        What to generate. Its memories are inferred, whatever ``memory.style`` says.
    target
        A name in :data:`hwgen.flows.targets.TARGETS`.
    module
        A module of the emitted Verilog; the whole accelerator by default.
    libraries
        For target ``asic``, and only for it.
    aim
        Find out how fast it is, too: place and route it, or ask OpenSTA or abc.
    progress
        Called with a few words before each stage.

    Raises
    ------
    UserError
        If there is no such target or module, if Yosys rejects a Liberty file, or if the design
        does not fit where it is to be placed.
    """
    chosen = target_named(target)
    if chosen.name == "asic" and libraries is None:
        libraries = Libraries.read((), None)
    design = design_of(config, progress)
    part = part_named(aim.part, target) if aim and not libraries else None
    multipliers = part is None or part.available["dsp"] > 0
    modules = with_primitives(design.modules, chosen.name, multipliers=multipliers)
    uses = design.memories
    top = config.name if module is None else module
    if top not in modules:
        close = difflib.get_close_matches(top, modules, n=3, cutoff=0.4) or list(modules)[:3]
        raise UserError(
            f"MODULE: must be a module of {config.name}, such as {', '.join(close)}, not {top!r}"
        )

    def count(progress: Callable[[str], None]) -> tuple[Report, dict]:
        return _count(config, chosen, top, modules, uses, libraries, progress)

    if aim is None:
        return count(progress)[0]
    if libraries:
        report, in_macros = count(progress)
        timing = cell_timing(
            top,
            modules,
            libraries.cells,
            in_macros,
            frequency=aim.frequency,
            progress=progress,
        )
        return replace(report, timing=timing)

    lanes = Lanes(progress)

    def count_and_compare() -> Report:
        """What no flattening can save is told at once, and ends the long way to the router."""
        with lanes.of("area") as said:
            report, _ = count(said)
        available = part.available
        taken = {RESOURCES[name]: (int(report.total[name]), available[name]) for name in available}
        check_fit(part, taken, top)
        return report

    def place_and_route() -> Routing:
        placement = Placement(part, aim.frequency, aim.seed)
        with lanes.of("clock") as said:
            if aim.seeds == 1:
                return route(top, modules, placement, said)
            return route_best(top, modules, placement, aim.seeds, said)

    # What takes longer begins.
    timing, report = together(place_and_route, count_and_compare)
    return replace(report, timing=timing)


def _count(
    config: Config,
    target: Target,
    top: str,
    modules: dict[str, Module],
    uses: Sequence[MemoryUse],
    libraries: Libraries | None,
    progress: Callable[[str], None],
) -> tuple[Report, dict[str, Tiling | None]]:
    """A report without timing, and the memories that are macros, of standard cells."""
    shapes = {use.verilog_name: use for use in uses}
    macros = stay_out(shapes, libraries) if libraries else {}
    contents = _run(target, top, modules, libraries, macros, progress)
    if libraries:
        costs, forms = areas(contents, shapes, macros, libraries)
    else:
        costs = {name: _resources(cells, target) for name, cells in contents.items()}
        forms = {name: (_form(costs[name]), None) for name in shapes if name in costs}
    contents |= {name: Counter() for name in macros}
    if top != config.name:
        uses = _within(top, contents, shapes)
    report = Report(
        config,
        target,
        top,
        block_tree(top, contents, costs),
        tuple(_bound(use, *forms[use.verilog_name]) for use in uses),
        libraries.cells.files if libraries else (),
    )
    in_macros = {
        name: smallest_tiling(shapes[name], libraries.macros)
        for name, (form, _area) in forms.items()
        if libraries and form != "flip-flops"
    }
    return report, in_macros


def _within(
    top: str, contents: dict[str, Counter], shapes: dict[str, MemoryUse]
) -> list[MemoryUse]:
    """The memories of one module, by shape: their purposes are only known for the whole design."""
    counts = Counter()

    def visit(module: str, count: int):
        if module in shapes:
            counts[module] += count
        for child, times in contents[module].items():
            if child in contents:
                visit(child, count * times)

    visit(top, 1)
    return [replace(shapes[name], name=name, count=n) for name, n in sorted(counts.items())]


def stay_out(shapes: dict[str, MemoryUse], libraries: Libraries) -> dict[str, Tiling | None]:
    """Memories that stay out of synthesis: those that are certainly smaller as macros.

    Without a library of macros that is every memory of more than a few kbit that a macro could be.
    """
    found = {}
    for name, use in shapes.items():
        tiling = smallest_tiling(use, libraries.macros)
        bits = use.depth * use.width
        if tiling is not None and bits * libraries.cells.smallest_flip_flop >= tiling.area:
            found[name] = tiling
        elif tiling is None and not use.asynchronous and bits > 8192:
            found[name] = None
    return found


def _run(chosen, top, modules, libraries, black_boxes, progress) -> dict[str, Counter]:
    """The cells of each module."""
    texts = libraries.cells.texts if libraries else ()
    files = {f"cells{index}.lib": text for index, text in enumerate(texts)}
    liberty = " ".join(f"-liberty {name}" for name in files)
    try:
        return cells_of_modules(
            top,
            modules,
            script=chosen.script.replace("{liberty}", liberty),
            files=files,
            black_boxes=black_boxes,
            progress=lambda stage: progress(f"Yosys: {stage}"),
        )
    except SynthesisFailed as error:
        if libraries and error.stage in ("dfflibmap", "dfflegalize", "abc"):
            found = ", ".join(libraries.cells.files)
            raise UserError(f"LIBERTY: Yosys rejects {found}: {error.message}") from None
        raise


def _resources(cells: Counter, target: Target) -> Counter:
    """What the cells of a module are on an FPGA."""
    found = Counter()
    for cell, count in cells.items():
        for resource, weight in target.count(cell).items():
            found[resource] += weight * count
    return found


def _form(cost: Counter) -> str:
    """The primitive that a memory became on an FPGA, in a word."""
    if cost["bram"]:
        return "block RAM"
    return "LUT RAM" if cost["lutram"] else "flip-flops"


def areas(contents, shapes, macros, libraries):
    """Costs of all modules with target asic, and (form, area) of each shape of memory in use."""
    used = {child for cells in contents.values() for child in cells} | set(contents)
    costs = {}
    for name, cells in contents.items():
        logic = {c: n for c, n in cells.items() if c not in contents and c not in macros}
        flip_flops = sum(n for cell, n in logic.items() if cell in libraries.cells.flip_flops)
        area = sum(n * libraries.cells.areas[cell] for cell, n in logic.items())
        costs[name] = Counter(cells=sum(logic.values()), ff=flip_flops, area=area)
    forms = {}
    for name, use in shapes.items():
        if name not in used:
            continue
        tiling = macros.get(name) or smallest_tiling(use, libraries.macros)
        if name in macros:
            costs[name] = Counter()
        if name in macros and tiling is None:
            forms[name] = ("not counted", None)
        elif name in macros or (tiling is not None and tiling.area < costs[name]["area"]):
            costs[name] = Counter(area=tiling.area, memory_area=tiling.area)
            forms[name] = (str(tiling), tiling.area)
        else:
            forms[name] = ("flip-flops", costs[name]["area"])
    return costs, forms


def _bound(use: MemoryUse, form: str, area: float | None) -> Bound:
    return Bound(use, form, None if area is None else area * use.count)
