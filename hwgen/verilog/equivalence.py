"""Proof that the emitted file does what Amaranth's own output does.

Both are flattened by Yosys. Registers, memories and black boxes are paired by their place in the
hierarchy and their name, which the emitter knows; everything between them must be equal as Boolean
functions. A wrong pairing can only make the proof fail, never succeed.
"""

import hashlib
import re
from dataclasses import dataclass, field

from amaranth.back import rtlil as amaranth_rtlil
from amaranth.hdl import Instance
from amaranth.lib import wiring

from ..memory import EmissionTarget
from .emit import assemble, write_modules
from .split import Hierarchy, Occurrence, split
from .writer import Written
from .yosys import run_yosys

__all__ = ["Equivalence", "NotEquivalent", "check_equivalence"]

_FLATTEN = """
proc
flatten -noscopeinfo
memory_nordff
opt -full -noff
opt_mem
opt_mem_priority
memory_share -nosat -nowiden
memory_collect
dffunmap
opt -full -noff
wreduce
opt -full -noff
techmap -map normal.v
opt -full -noff
clean
rename {top} {name}
write_rtlil {name}.il
design -reset
"""

# Arithmetic with all operands as wide as the result. What equals then looks equal, and no solver
# has to multiply.
_NORMAL = """
(* techmap_celltype = "$add $sub $mul" *)
module arithmetic (A, B, Y);
  parameter _TECHMAP_CELLTYPE_ = "";
  parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output [Y_WIDTH-1:0] Y;
  wire _TECHMAP_FAIL_ = A_WIDTH == Y_WIDTH && B_WIDTH == Y_WIDTH && !A_SIGNED && !B_SIGNED;
  wire [Y_WIDTH-1:0] a, b;
  generate
    if (A_SIGNED && B_SIGNED) begin
      assign a = $signed(A);
      assign b = $signed(B);
    end else begin
      assign a = A;
      assign b = B;
    end
    if (_TECHMAP_CELLTYPE_ == "$add") assign Y = a + b;
    if (_TECHMAP_CELLTYPE_ == "$sub") assign Y = a - b;
    if (_TECHMAP_CELLTYPE_ == "$mul") assign Y = a * b;
  endgenerate
endmodule
"""

# Pins of a memory whose read ports are asynchronous, and what their widths are made of.
_MEMORY_PINS = {
    "RD_ADDR": ("RD_PORTS", "ABITS"),
    "RD_DATA": ("RD_PORTS", "WIDTH"),
    "WR_CLK": ("WR_PORTS", None),
    "WR_ADDR": ("WR_PORTS", "ABITS"),
    "WR_DATA": ("WR_PORTS", "WIDTH"),
    "WR_EN": ("WR_PORTS", "WIDTH"),
}


_MEMORY_WIDTHS = ("RD_PORTS", "WR_PORTS", "ABITS", "WIDTH")

# What must be equal of two memories besides their pins.
_MEMORY_FACTS = (
    *_MEMORY_WIDTHS,
    "SIZE",
    "OFFSET",
    "INIT",
    "RD_CLK_ENABLE",
    "WR_CLK_ENABLE",
    "WR_CLK_POLARITY",
    "WR_PRIORITY_MASK",
)


class NotEquivalent(AssertionError):
    """The emitted Verilog and Amaranth's output differ, or Yosys could not prove that they do
    not."""


@dataclass(frozen=True)
class Equivalence:
    """What was proved: so many points (register bits, ports, memory and black box pins) are
    equal."""

    points: int
    registers: int
    memories: int


def check_equivalence(
    component: wiring.Component, *, name: str = "top", text: str | None = None
) -> Equivalence:
    """Prove with Yosys that the deduplicated Verilog of ``component`` equals Amaranth's output.

    Parameters
    ----------
    component : wiring.Component
        The design; it is elaborated once, for both sides.
    name : str
        Name of the top module.
    text : str, optional
        Verilog to check instead of what :func:`emit` makes of the component, for one that was
        written to a file.

    Raises
    ------
    NotEquivalent
        If any point is not proved.
    """
    hierarchy = split(component, name=name, platform=EmissionTarget())
    written = write_modules(hierarchy)
    plain, _names = amaranth_rtlil.convert_fragment(hierarchy.design, emit_src=False)
    verilog = assemble(hierarchy, written) if text is None else text
    # What a read returns during a write of the same row is undefined, and each side is free to
    # choose. For the proof both keep the order of the simulator.
    verilog = re.sub(r",? ?no_rw_check = 1", "", verilog).replace("(*  *)", "")
    plain = re.sub(r"^ *attribute \\(no_rw_check|init) .*\n", "", plain, flags=re.M)
    top = hierarchy.top.name
    # Beyond the end of a signed value lie copies of its sign: so says Amaranth's language, and so
    # its simulator does, but the cell that it picks is one that Yosys fills with zeros.
    plain = re.sub(r"cell \$shift (\S+\n +parameter \\A_SIGNED 1\n)", r"cell $sshr \1", plain)
    # Yosys takes a shift by no bits for unknown; it is one by zero.
    plain = re.sub(r"parameter \\([AB])_WIDTH 0\n", r"parameter \\\1_WIDTH 1\n", plain)
    plain = re.sub(r"connect \\([AB]) \{ +\}\n", r"connect \\\1 1'0\n", plain)
    boxes = _black_boxes(hierarchy)
    script = (
        f"read_rtlil plain.il\nhierarchy -top {name}\n"
        + _FLATTEN.format(top=name, name="gold")
        + f"read_verilog boxes.v\nread_verilog emitted.v\nhierarchy -top {top}\n"
        + _FLATTEN.format(top=top, name="gate")
    )
    flat = run_yosys(
        script,
        {"plain.il": plain, "emitted.v": verilog, "boxes.v": boxes, "normal.v": _NORMAL},
        ("gold.il", "gate.il"),
    )
    ports = {port: port for port in hierarchy.top.ports}
    # A register that is an output port is paired as the port.
    pairs = {
        amaranth_name: name
        for amaranth_name, name in _pairs(hierarchy, written).items()
        if name not in ports
    }
    gold, gold_models, gold_boxes = _cut(flat["gold.il"], pairs | ports)
    gate, gate_models, gate_boxes = _cut(flat["gate.il"], None)
    differing = sorted(dict(gold_boxes.items() ^ gate_boxes.items()))
    if differing:
        raise NotEquivalent(
            f"{len(differing)} memories or black boxes are not proved equal: {', '.join(differing)}"
        )
    script = """
read_verilog -lib boxes.v
read_rtlil cut.il
opt_clean -purge gold
expose -evert c:*
equiv_make gold gate equiv
hierarchy -top equiv
opt -full -noff
opt_clean
equiv_simple
equiv_induct
equiv_status
"""
    models = "".join(sorted(set(gold_models) | set(gate_models)))
    result = run_yosys(script, {"cut.il": models + gold + gate, "boxes.v": boxes})
    return _verdict(result["log"], len(pairs), len(gold_models))


def _black_boxes(hierarchy: Hierarchy) -> str:
    """Verilog headers of the modules that the design instantiates and does not define."""
    headers = {}

    def visit(fragment):
        if isinstance(fragment, Instance):
            ports = []
            for port, (value, direction) in fragment.ports.items():
                word = {"i": "input", "o": "output", "io": "inout"}[direction]
                ports.append(f"{word} [{len(value) - 1}:0] {port}")
            parameters = ", ".join(f"parameter {name} = 0" for name in fragment.parameters)
            parameters = f" #({parameters})" if parameters else ""
            headers[fragment.type] = (
                f"(* blackbox *) module {fragment.type}{parameters} ({', '.join(ports)});\n"
                "endmodule\n"
            )
        for subfragment, _name, _src_loc in fragment.subfragments:
            visit(subfragment)

    visit(hierarchy.fragment)
    return "".join(headers.values())


def _pairs(hierarchy: Hierarchy, written: dict[str, Written]) -> dict[str, str]:
    """Flat names in Amaranth's output of all registers, memories and black boxes, to their names
    in the file."""
    pairs = {}

    def visit(occurrence: Occurrence, amaranth_path: tuple, path: tuple):
        module = written[occurrence.key]
        found = {
            amaranth_name: module.signals[name]
            for name, amaranth_name in occurrence.registers.items()
            if name in module.signals
        }
        found |= {
            amaranth_name: module.cells[name]
            for name, amaranth_name in occurrence.leaves.items()
            if name in module.cells
        }
        for amaranth_name, name in found.items():
            pairs[".".join((*amaranth_path, amaranth_name))] = ".".join((*path, name))
        for child in occurrence.children:
            visit(
                child,
                (*amaranth_path, child.amaranth_name),
                (*path, module.cells[child.name]),
            )

    visit(hierarchy.root, (), ())
    return pairs


def _cut(text: str, pairs: dict[str, str] | None) -> tuple[str, list[str], dict[str, str]]:
    """Make black boxes of the memories in a flat module, and rename its wires and cells.

    With ``pairs``, what is paired takes the name in the file, and everything else a private name,
    so that nothing else is taken for equal.
    """

    def rename(match: re.Match) -> str:
        name = match[0].removeprefix("\\")
        return f"\\{pairs[name]}" if name in pairs else f"$plain{match[0]}"

    def renamed(words: str) -> str:
        return words if pairs is None else re.sub(r"\\[^ ]+", rename, words)

    lines, models, boxes, cell = [], [], {}, None
    for line in text.splitlines():
        words = line.split()
        keyword = words[0] if words else ""
        if keyword in ("attribute", "memory"):
            continue
        if keyword == "wire":
            line = f"{line[: line.rindex(words[-1])]}{renamed(words[-1])}"
        elif keyword == "cell":
            cell = _Cell(words[1], renamed(words[2]))
            continue
        elif cell is not None and keyword == "end":
            if cell.kind == "$mem_v2":
                lines.append(cell.mask_data())
                models.append(cell.become_memory())
            if not cell.kind.startswith("$"):
                boxes[cell.name] = f"{cell.kind} {_values(cell.parameters)}"
            line, cell = str(cell), None
        elif cell is not None and keyword == "parameter":
            key, _space, value = line.strip().removeprefix("parameter ").rpartition(" ")
            cell.parameters[key] = value
            continue
        elif cell is not None and keyword == "connect":
            cell.pins[words[1].removeprefix("\\")] = renamed(" ".join(words[2:]))
            continue
        elif keyword == "connect":
            line = f"connect {renamed(' '.join(words[1:]))}"
        lines.append(line)
    return "\n".join([*lines, ""]), models, boxes


def _values(parameters: dict[str, str]) -> dict[str, str | int]:
    """Parameters by value: a number is the same with and without a width."""
    found = {}
    for key, value in parameters.items():
        if re.fullmatch(r"\d+'[01]+", value):
            value = int(value.partition("'")[2], 2)
        elif value.isdigit():
            value = int(value)
        found[key.removeprefix("signed ")] = value
    return found


@dataclass
class _Cell:
    """A cell of the flat module, as RTLIL text."""

    kind: str
    name: str
    parameters: dict[str, str] = field(default_factory=dict)
    pins: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"cell {self.kind} {self.name}"]
        lines += [f"parameter {key} {value}" for key, value in self.parameters.items()]
        lines += [f"connect \\{pin} {value}" for pin, value in self.pins.items()]
        return "\n".join([*lines, "end"])

    def mask_data(self) -> str:
        """Bits that are not written need not be equal: an AND, and its wire, before the data
        pin."""
        wire = f"${self.name}$masked"
        bits = int(self.parameters["\\WIDTH"]) * int(self.parameters["\\WR_PORTS"])
        gate = _Cell("$and", f"{wire}$and")
        gate.parameters = {"\\A_SIGNED": "0", "\\B_SIGNED": "0"}
        gate.parameters |= {f"\\{pin}_WIDTH": str(bits) for pin in "ABY"}
        gate.pins = {"A": self.pins["WR_DATA"], "B": self.pins["WR_EN"], "Y": wire}
        self.pins["WR_DATA"] = wire
        return f"wire width {bits} {wire}\n{gate}"

    def become_memory(self) -> str:
        """Turn a memory into an instance of a black box with its pins, and return the black box.

        Memories that differ in anything but their name get different black boxes.
        """
        facts = {key: self.parameters[f"\\{key}"] for key in _MEMORY_FACTS}
        if set(facts["INIT"].partition("'")[2]) <= set("0x"):
            # The emitted file leaves memories of zeros without contents.
            facts["INIT"] = "x"
        digest = hashlib.sha256(repr(sorted(facts.items())).encode()).hexdigest()[:16]
        ports = {port: int(self.parameters[f"\\{port}"]) for port in _MEMORY_WIDTHS}
        self.kind = f"\\memory_{ports['WIDTH']}_{digest}"
        self.parameters = {}
        self.pins = {pin: self.pins[pin] for pin in _MEMORY_PINS}
        lines = ["attribute \\blackbox 1", f"module {self.kind}"]
        for index, (pin, (count, width)) in enumerate(_MEMORY_PINS.items(), start=1):
            bits = ports[count] * (ports[width] if width else 1)
            direction = "output" if pin == "RD_DATA" else "input"
            lines.append(f"wire width {bits} {direction} {index} \\{pin}")
        return "\n".join([*lines, "end", ""])


def _verdict(log: str, registers: int, memories: int) -> Equivalence:
    summary = re.findall(
        r"Found (\d+) \$equiv cells in equiv:\n *Of those cells (\d+) are proven", log
    )
    points, proven = map(int, summary[-1])
    if points != proven:
        unproven = re.findall(r"Unproven \$equiv .*", log)
        raise NotEquivalent(
            f"{points - proven} of {points} points are not proved equal:\n"
            + "\n".join(unproven[-20:])
        )
    return Equivalence(points, registers, memories)
