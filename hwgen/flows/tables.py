"""Reports and comparisons for people."""

from collections import Counter

from rich.console import Group
from rich.table import Table
from rich.text import Text

from hwgen.flows.blocks import Block
from hwgen.flows.cell_timing import CellTiming
from hwgen.flows.compare import Comparison, Row
from hwgen.flows.paths import Stretch
from hwgen.flows.route import Routing
from hwgen.flows.synthesis import Report
from hwgen.flows.targets import RESOURCES

__all__ = ["comparison_tables", "report_tables", "routing_tables"]


def report_tables(report: Report, depth: int = 3) -> Group:
    """Blocks down to ``depth`` levels below the top, and memories."""
    resources = report.target.resources
    table = Table(title=f"{report.top} on {report.target.name}", caption=report.target.title)
    table.add_column("block", overflow="fold", min_width=24)
    table.add_column("instances", justify="right")
    for resource in resources:
        table.add_column(RESOURCES[resource], justify="right")

    def add(block: Block, level: int):
        total = block.total
        cells = [_number(total[resource]) for resource in resources]
        table.add_row("  " * level + block.name, str(block.instances), *cells)
        if level < depth:
            for child in sorted(block.children, key=lambda child: _size(child.total), reverse=True):
                add(child, level + 1)

    add(report.blocks, 0)
    timed = routing_tables(report.timing) if report.timing else ()
    return Group(table, _memories(report), *timed, *_notes(report))


def routing_tables(timing: Routing | CellTiming) -> list[Table | Text]:
    """How full the device is, the path that limits the clock, and the clock."""
    shown: list[Table | Text] = []
    if isinstance(timing, Routing):
        part, frequency = timing.placement.part, timing.placement.frequency
        who = f"{part.tool} {' '.join(timing.placement.arguments)}"
        fill = Table(title=f"{part.name}, placed and routed")
        for column in ("resource", "used", "available", "%"):
            fill.add_column(column, justify="left" if column == "resource" else "right")
        for resource, (used, available) in timing.used.items():
            percent = f"{100 * used / available:.0f}" if available else "-"
            fill.add_row(resource, _number(used), _number(available), percent)
        shown.append(fill)
    else:
        frequency, who = timing.frequency, f"{timing.method}; memories {timing.memories}"
    if timing.path:
        shown.append(_path(timing.path))
    reached = "no path from clock to clock"
    if timing.fmax is not None:
        reached = f"{timing.fmax:.1f} MHz, {frequency:g} MHz asked for"
    if isinstance(timing, Routing) and timing.tried:
        seeds = ", ".join(f"{fmax:.1f}" for fmax in timing.tried.values())
        reached += f"; the best of {len(timing.tried)} seeds ({seeds}; median {timing.median:.1f})"
    return [*shown, Text(f"fmax: {reached} ({who})")]


def _path(path: tuple[Stretch, ...]) -> Table:
    table = Table(title="critical path, from its first register to its last")
    for column in ("block", "module", "leaves as"):
        table.add_column(column, overflow="fold")
    for column in ("cells", "ns in cells", "ns in wires"):
        table.add_column(column, justify="right")
    for step in path:
        numbers = (str(step.cells), f"{step.logic:.2f}", f"{step.routing:.2f}")
        table.add_row(step.block or "(top)", step.module, step.signal, *numbers)
    return table


def comparison_tables(comparison: Comparison) -> Group:
    """Totals, blocks that differ and memories that differ."""
    first, second = comparison.first, comparison.second
    title = f"{first.config.name} against {second.config.name} on {first.target.name}"
    totals = Table(title=title, caption=first.target.title)
    for column in ("", first.config.name, second.config.name, "extra", "%"):
        totals.add_column(column, justify="left" if not column else "right")
    titles = {**RESOURCES, "memory_bits": "memory bits"}
    for resource, percent in comparison.percent.items():
        row = comparison.total
        totals.add_row(
            titles[resource],
            _number(row.first[resource]),
            _number(row.second[resource]),
            _number(row.extra(resource)),
            "-" if percent is None else f"{percent:+.1f}",
        )
    main = "area" if "area" in comparison.resources else "lut"
    blocks = Table(title="blocks that differ, without the blocks within them")
    blocks.add_column("block", overflow="fold", min_width=24)
    for name in (first.config.name, second.config.name):
        blocks.add_column(f"{name}: {RESOURCES[main]}", justify="right")
    for resource in comparison.resources:
        blocks.add_column(f"extra {RESOURCES[resource]}", justify="right")
    for row in comparison.blocks:
        pair = (_number(row.first[main]), _number(row.second[main]))
        blocks.add_row(row.name, *pair, *(_number(row.extra(r)) for r in comparison.resources))
    memories = Table(title="memories that differ")
    memories.add_column("purpose")
    for name in (first.config.name, second.config.name):
        memories.add_column(f"{name}: bits", justify="right")
    memories.add_column("extra bits", justify="right")
    areas = main == "area"
    if areas:
        memories.add_column("extra µm²", justify="right")
    for row in comparison.memories:
        if row.extra("bits") or row.extra("area"):
            memories.add_row(*_memory_cells(row, areas))
    return Group(totals, blocks, memories, *_notes(first), *_notes(second))


def _memory_cells(row: Row, areas: bool) -> list[str]:
    cells = [row.name, *(_number(side["bits"]) for side in (row.first, row.second))]
    return [*cells, _number(row.extra("bits"))] + ([_number(row.extra("area"))] if areas else [])


def _memories(report: Report) -> Table:
    areas = "area" in report.target.resources
    table = Table(title=f"memories: {_number(report.memory_bits)} bits")
    for column in ("purpose", "size", "count", "bits", "each is", *(["µm²"] if areas else [])):
        table.add_column(column, justify="left" if column in ("purpose", "each is") else "right")
    for bound in sorted(report.memories, key=lambda bound: -bound.use.bits):
        use = bound.use
        size = f"{use.depth}x{use.width}"
        row = [use.name, size, str(use.count), _number(use.bits), bound.form]
        if areas:
            row.append("-" if bound.area is None else _number(bound.area))
        table.add_row(*row)
    return table


def _notes(report: Report) -> list[Text]:
    if not report.unbound:
        return []
    bits = sum(bound.use.bits for bound in report.unbound)
    return [
        Text(
            f"{report.config.name}: the area lacks memories of {_number(bits)} bits; "
            "give the SRAM macros' Liberty files with --sram FOLDER"
        )
    ]


def _size(total: Counter) -> float:
    return total["area"] or total["lut"] + total["lutram"] + total["ff"]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.1f}"
