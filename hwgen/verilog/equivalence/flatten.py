"""Both sides of the proof as flat netlists: Amaranth's output, and the emitted file."""

import re

from amaranth.back import rtlil as amaranth_rtlil
from amaranth.hdl import Fragment, Instance

from ..split import Hierarchy
from ..yosys import run_yosys
from .nets import Nets

__all__ = ["NAMELESS", "Boxes", "flatten_amaranth", "flatten_emitted"]

# Nothing here merges registers or changes what they take: each must stay what it was called.
_SCRIPT = """
hierarchy -top {top}
proc
flatten -noscopeinfo
memory_nordff
opt_expr -full
opt_clean
opt_mem
opt_mem_priority
memory_share -nosat -nowiden
memory_collect
dffunmap
chformal -remove
opt_expr -full
wreduce t:$dff t:$adff %u %n
opt_expr -full
techmap -map normal.v
opt_expr -full
opt_clean
select {top}
write_rtlil -selected flat.il
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


# What Amaranth calls ``$signal`` begins with this here.
NAMELESS = "nameless"


class Boxes:
    """The black boxes of a design: what it instantiates and does not define.

    ``outputs`` has the pins of each that are outputs.
    """

    def __init__(self, fragment: Fragment):
        self.outputs: dict[str, set[str]] = {}
        self._headers: dict[str, str] = {}
        self._visit(fragment)

    @property
    def verilog(self) -> str:
        """Headers of their modules."""
        return "".join(self._headers.values())

    def _visit(self, fragment: Fragment) -> None:
        if isinstance(fragment, Instance):
            ports = [
                f"{'output' if direction == 'o' else 'input'} [{len(value) - 1}:0] {port}"
                for port, (value, direction) in fragment.ports.items()
            ]
            parameters = ", ".join(f"parameter {name} = 0" for name in fragment.parameters)
            parameters = f" #({parameters})" if parameters else ""
            self._headers[fragment.type] = (
                f"(* blackbox *) module {fragment.type}{parameters} ({', '.join(ports)});\n"
                "endmodule\n"
            )
            self.outputs[fragment.type] = {
                port for port, (_value, direction) in fragment.ports.items() if direction == "o"
            }
        for subfragment, _name, _src_loc in fragment.subfragments:
            self._visit(subfragment)


def flatten_amaranth(hierarchy: Hierarchy) -> Nets:
    """The undivided design, as Amaranth puts it out."""
    text, _names = amaranth_rtlil.convert_fragment(hierarchy.design, emit_src=False)
    # Yosys drops names that begin with a dollar sign.
    text = text.replace("\\$", f"\\{NAMELESS}$")
    # What a read returns during a write of the same row is undefined, and each side is free to
    # choose. For the proof both keep the order of the simulator.
    text = re.sub(r"^ *attribute \\(no_rw_check|init) .*\n", "", text, flags=re.M)
    # Beyond the end of a signed value lie copies of its sign: so says Amaranth's language, and so
    # its simulator does, but the cell that it picks is one that Yosys fills with zeros.
    text = re.sub(r"cell \$shift (\S+\n +parameter \\A_SIGNED 1\n)", r"cell $sshr \1", text)
    # Yosys takes a shift by no bits for unknown; it is one by zero.
    text = re.sub(r"parameter \\([AB])_WIDTH 0\n", r"parameter \\\1_WIDTH 1\n", text)
    text = re.sub(r"connect \\([AB]) \{ +\}\n", r"connect \\\1 1'0\n", text)
    top = hierarchy.design.fragments[hierarchy.fragment].name[0]
    return _flatten("read_rtlil design.il", {"design.il": text}, top)


def flatten_emitted(verilog: str, boxes: Boxes, top: str) -> Nets:
    """An emitted file."""
    verilog = re.sub(r",? ?no_rw_check = 1", "", verilog).replace("(*  *)", "")
    return _flatten(
        "read_verilog boxes.v\nread_verilog emitted.v",
        {"emitted.v": verilog, "boxes.v": boxes.verilog},
        top,
    )


def _flatten(read: str, files: dict[str, str], top: str) -> Nets:
    script = f"{read}\n{_SCRIPT.format(top=top)}"
    return Nets(run_yosys(script, {**files, "normal.v": _NORMAL}, ("flat.il",))["flat.il"])
