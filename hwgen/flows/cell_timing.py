"""How fast a design is in standard cells, before placement: by OpenSTA, or by abc's estimate."""

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hwgen.errors import UserError
from hwgen.files import write_atomic
from hwgen.flows.liberty import Cells
from hwgen.flows.memories import Tiling, memory_library
from hwgen.flows.modules import Module, digest_of, text_below
from hwgen.flows.paths import Instances, Stretch, joined
from hwgen.flows.process import identity, run_tool
from hwgen.flows.yosys import SynthesisFailed, run_yosys, version
from hwgen.simulator.rtl.build import cache_folder
from hwgen.tools import find

__all__ = ["CellTiming", "cell_timing"]

CACHE_FORMAT = 1
"""Part of every key: raised when what is kept changes its meaning."""

# Other than for counting: flattened, gates sized for the clock that is asked for, and nets with
# many readers buffered. abc leaves the delay of its result in stats.txt.
SCRIPT = """read_verilog design.v
{black_boxes}
synth -flatten -top {top} -run begin:fine
opt -fast -full
memory_map
opt -undriven -fine
techmap
opt -fast
rename -wire
dfflibmap {liberty}
abc {liberty} -constr pins.txt -D {period} -script +{abc}
opt_clean -purge
setundef -zero
select -set pins {top}/x:* {top}/w:clk %d
delete -port @pins
splitnets
write_verilog -noattr -noexpr -simple-lhs netlist.v
"""

ABC = (
    "strash;&get,-n;&fraig,-x;&put;scorr;dc2;dch,-f;strash;&get,-n;&nf,{D};&put;"
    "buffer;upsize,{D};dnsize,{D};stime,-d"
)

STA = """{libraries}
read_verilog netlist.v
link_design {top}
create_clock -name clk -period {period} [get_ports clk]
report_checks -path_delay max -fields net -digits 4
"""

STEP = re.compile(r"\s+(-?[\d.]+)\s+(-?[\d.]+) [\^v] (\S+)/\S+ \((\S+)\)$")
NAMELESS = re.compile(r"_\d+_")


@dataclass(frozen=True)
class CellTiming:
    """What the clock of a design in standard cells may be; wires have no delay.

    Attributes
    ----------
    method : str
        Who says so.
    frequency : float
        MHz that gates were sized for.
    fmax : float or None
        MHz; None of a design without a path from clock to clock.
    memories : str
        What is assumed of memories.
    path : tuple of Stretch
        The critical path; empty with abc.
    """

    method: str
    frequency: float
    fmax: float | None
    memories: str
    path: tuple[Stretch, ...]

    def as_dict(self) -> dict:
        """For JSON."""
        return {
            "method": self.method,
            "frequency": self.frequency,
            "fmax": None if self.fmax is None else round(self.fmax, 2),
            "memories": self.memories,
            "critical_path": [stretch.as_dict() for stretch in self.path],
        }


def cell_timing(
    top: str,
    modules: dict[str, Module],
    cells: Cells,
    macros: dict[str, Tiling | None],
    *,
    frequency: float = 100.0,
    progress: Callable[[str], None] = lambda stage: None,
) -> CellTiming:
    """Estimate the clock of a module with all within.

    Parameters
    ----------
    top
        The module.
    modules
        All modules of the design.
    cells
        Standard cells.
    macros
        Memories that are SRAM macros; None of one whose macro is not known.
    frequency
        MHz that gates are sized for.
    progress
        Called with a few words before each stage.
    """
    design = text_below(top, modules)
    boxes = {name: tiling for name, tiling in macros.items() if f"module {name} " in design}
    texts = {f"cells{index}.lib": text for index, text in enumerate(cells.texts)}
    liberty = [f"-liberty {name}" for name in texts]
    # Read first, it also sets the units that OpenSTA speaks in.
    texts = {
        "memories.lib": memory_library(
            {name: (modules[name].header, tiling) for name, tiling in boxes.items()}
        ),
        **texts,
    }
    script = SCRIPT.format(
        top=top,
        liberty=" ".join(liberty),
        period=round(1e6 / frequency),
        abc=ABC,
        black_boxes="\n".join(f"blackbox {name}" for name in sorted(boxes)),
    )
    driver = f"set_driving_cell {cells.buffer}\n" if cells.buffer else ""
    pins = f"{driver}set_load 10.0 [all_outputs]\n"
    inputs = {"design.v": design, "pins.txt": pins, "stats.txt": "", **texts}
    sta = find("sta")
    tools = [version(), identity("sta", "OpenSTA") if sta else "abc", STA]
    recipe = digest_of([CACHE_FORMAT, tools, script, sorted(inputs.items())])
    path = cache_folder() / "timing" / f"{recipe}.json"
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        kept = _measure(top, script, inputs, frequency, bool(sta), progress)
        write_atomic(path, json.dumps(kept))
    unknown = sum(tiling is None for tiling in boxes.values())
    if unknown:
        memories = f"{unknown} kinds without macros, taken to answer at once"
    else:
        memories = "at the slowest access of their macros" if boxes else "in cells"
    if not kept["sta"]:
        return CellTiming(
            "abc's estimate: gates between registers, without registers and memories",
            frequency,
            1e6 / kept["delay"] if kept["delay"] else None,
            memories,
            (),
        )
    steps, period = _steps(kept["sta"], Instances(top, modules))
    return CellTiming("OpenSTA", frequency, 1e3 / period if period else None, memories, steps)


def _measure(top, script, inputs, frequency, sta, progress) -> dict:
    """OpenSTA's report if it is there, and the longest delay that abc saw, in ps."""
    try:
        made = run_yosys(
            script,
            inputs,
            ("netlist.v", "stats.txt"),
            lambda stage: progress(f"Yosys: {stage}"),
        )
    except SynthesisFailed as error:
        if error.stage in ("dfflibmap", "dfflegalize", "abc"):
            raise UserError(f"LIBERTY: Yosys rejects it: {error.message}") from None
        raise
    delays = [float(line.split()[-1]) for line in made["stats.txt"].splitlines() if line.strip()]
    found = {"delay": max(delays, default=0.0), "sta": ""}
    if sta:
        progress("OpenSTA")
        libraries = [name for name in inputs if name.endswith(".lib")]
        commands = STA.format(
            libraries="\n".join(f"read_liberty {name}" for name in libraries),
            top=top,
            period=1000.0 / frequency,
        )
        found["sta"] = _sta(commands, {**inputs, "netlist.v": made["netlist.v"]})
    return found


def _sta(commands: str, files: dict[str, str]) -> str:
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**files, "commands.tcl": commands}.items():
            Path(folder, name).write_text(text)
        status = run_tool("sta", ["-no_splash", "-exit", "commands.tcl"], folder, lines.append)
    errors = [line for line in lines if line.startswith("Error")]
    if status or errors:
        raise RuntimeError(f"OpenSTA failed: {(errors or lines or ['no word'])[0]}")
    return "\n".join(lines)


def _path(report: str) -> list[str]:
    """The lines of the path up to its end, without the capturing edge."""
    lines = report.splitlines()
    ends = (n for n, line in enumerate(lines) if line.strip().endswith("data arrival time"))
    return lines[: next(ends, 0)]


def _steps(report: str, instances: Instances) -> tuple[tuple[Stretch, ...], float]:
    """The path of a report in stretches, and the period in ns that it needs."""
    slack = re.search(r"(-?[\d.]+)\s+slack", report)
    period = re.findall(r"(-?[\d.]+)\s+(-?[\d.]+)\s+clock clk \(rise edge\)", report)
    end = re.search(r"^Endpoint: (\S+)", report, re.MULTILINE)
    if not slack or not period or not end:
        return (), 0.0
    # Its first line is the clock pin of the first register, its last the data pin of the last.
    cells = [(step[3], float(step[1])) for step in map(STEP.match, _path(report)) if step][1:-1]
    # What abc made has no name: it belongs to the signal that it ends up in.
    names = [cell for cell, _delay in cells] + [end[1]]
    for index in reversed(range(len(cells))):
        if NAMELESS.fullmatch(names[index]):
            names[index] = names[index + 1]
    stretches: list[Stretch] = []
    for (_cell, delay), name in zip(cells, names, strict=False):
        block = instances.of(name)
        signal = name.removeprefix(f"{block}.")
        entered = Stretch(block, instances.module(block), 1, delay, 0.0, signal)
        if stretches and stretches[-1].block == block:
            entered = joined(stretches.pop(), entered)
        stretches.append(entered)
    return tuple(stretches), float(period[-1][1]) - float(slack[1])
