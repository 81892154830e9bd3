"""Counting without a synthesizer: areas, tilings, hierarchies, comparisons."""

from collections import Counter
from dataclasses import replace

import pytest

from hwgen.config import load
from hwgen.errors import UserError
from hwgen.flows.blocks import block_tree, flatten
from hwgen.flows.compare import Comparison
from hwgen.flows.liberty import read_cells, read_macros
from hwgen.flows.memories import smallest_tiling
from hwgen.flows.modules import split
from hwgen.flows.synthesis import Bound, Report
from hwgen.flows.targets import TARGETS, target_named
from hwgen.memory import MemoryUse

CELLS = """
library (cells) {
  cell (DFF) {
    area : 40.5 ;
    ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
    pin (D) { direction : input; } pin (CK) { direction : input; clock : true; }
    pin (Q) { direction : output; function : "IQ"; }
  }
  cell (NAND) {
    area : 7.25 ;
    pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "!(A B)"; }
  }
  cell (NOR) {
    area : 7.25 ;
    pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "!(A+B)"; }
  }
  cell (INV) {
    area : 5 ;
    pin (A) { direction : input; } pin (Y) { direction : output; function : "!A"; }
  }
}
"""


def sram(name: str, address_width: int, word_width: int, area: float, ports: str) -> str:
    """A Liberty file of a memory; ``ports`` is for each port a name, R or W or both."""
    groups = "".join(
        f"bus({port}_{kind}) {{ memory_{word}() {{ address : {port}_ADDR ; }} }}\n"
        for port, kinds in (item.split(":") for item in ports.split())
        for kind, word in (("R", "read"), ("W", "write"))
        if kind in kinds
    )
    return f"""library({name}) {{
cell({name}) {{
  memory() {{ type : ram; address_width : {address_width}; word_width : {word_width}; }}
  area : {area} ;
  {groups} }}
}}"""


@pytest.fixture
def macros(tmp_path):
    library = {
        "single": sram("single", 6, 64, 1.0, "A:RW A_BIST:W"),
        "dual": sram("dual", 6, 32, 500.0, "A:RW B:RW A_BIST:W"),
        "apart": sram("apart", 8, 16, 900.0, "A:R B:W"),
    }
    for name, text in library.items():
        (tmp_path / f"{name}.lib").write_text(text)
    return read_macros(tmp_path)


def use(depth: int, width: int, *, asynchronous: bool = False, count: int = 1) -> MemoryUse:
    style = "distributed" if asynchronous else "block"
    return MemoryUse("m", depth, width, None, style, asynchronous, count)


def test_macros(macros):
    assert {m.name: (m.words, m.bits, m.area, m.two_ports) for m in macros} == {
        "single": (64, 64, 1.0, False),
        "dual": (64, 32, 500.0, True),
        "apart": (256, 16, 900.0, True),
    }


@pytest.mark.parametrize(
    ("depth", "width", "macro", "rows", "columns"),
    [
        (64, 32, "dual", 1, 1),
        (16, 33, "dual", 1, 2),
        (65, 32, "dual", 2, 1),
        (256, 16, "apart", 1, 1),  # 900, against 4 times 500
        (257, 48, "apart", 2, 3),  # 5400, against 5 x 2 times 500 less: 5000
    ],
)
def test_smallest_tiling(macros, depth, width, macro, rows, columns):
    """The port count decides before the area: the single-ported one is the smallest by far."""
    found = smallest_tiling(use(depth, width), macros)
    every = [
        (-(-depth // m.words) * -(-width // m.bits) * m.area, m.name) for m in macros if m.two_ports
    ]
    assert (found.area, found.macro.name) == min(every)
    if found.macro.name == macro:
        assert (found.rows, found.columns) == (rows, columns)


def test_no_macro_reads_asynchronously(macros):
    assert smallest_tiling(use(64, 32, asynchronous=True), macros) is None


def test_cells(tmp_path):
    path = tmp_path / "cells.lib"
    path.write_text(CELLS)
    cells = read_cells((path,))
    assert cells.areas == {"DFF": 40.5, "NAND": 7.25, "NOR": 7.25, "INV": 5.0}
    assert cells.flip_flops == {"DFF"}
    assert cells.smallest_flip_flop == 40.5


def test_hierarchy():
    """Instances multiply; helpers count where they stand; needless numbers go."""
    contents = {
        "top": Counter({"a": 2, "b_2": 1, "X": 1}),
        "a": Counter({"b_2": 3, "ram_8x8": 2, "X": 5}),
        "b_2": Counter({"fork_ways3": 1}),
        "fork_ways3": Counter({"X": 7}),
        "ram_8x8": Counter({"X": 11}),
    }
    costs = {name: Counter(lut=cells["X"]) for name, cells in contents.items()}
    blocks = flatten(block_tree("top", contents, costs))
    assert {path: (block.instances, block.own["lut"]) for path, block in blocks.items()} == {
        "": (1, 1),
        "a": (2, 2 * (5 + 2 * 11)),
        "a/b": (6, 6 * 7),
        "b": (1, 7),
    }
    assert blocks[""].total["lut"] == 1 + 54 + 42 + 7


@pytest.mark.parametrize(
    ("target", "cell", "cost"),
    [
        ("ecp5", "CCU2C", {"lut": 2}),
        ("ecp5", "TRELLIS_DPR16X4", {"lutram": 4}),
        ("ecp5", "PFUMX", {}),
        ("ice40", "SB_DFFESR", {"ff": 1}),
        ("gowin", "MULT9X9", {"dsp": 0.5}),
        ("gowin", "MUX2_LUT5", {}),
        ("xilinx", "RAMB36E1", {"bram": 2}),
        ("xilinx", "FDRE", {"ff": 1}),
    ],
)
def test_cells_of_targets(target, cell, cost):
    assert TARGETS[target].count(cell) == cost


def test_comparison():
    def report(contents: dict, bits: int) -> Report:
        costs = {name: Counter(lut=cells["X"], ff=cells["Y"]) for name, cells in contents.items()}
        return Report(
            load("tiny"),
            TARGETS["ecp5"],
            "top",
            block_tree("top", contents, costs),
            (Bound(use(bits, 1), "LUT RAM"),),
        )

    first = report({"top": Counter(a=1, b=2, X=10), "a": Counter(X=5, Y=3), "b": Counter(X=1)}, 30)
    second = report({"top": Counter(a=1, X=10), "a": Counter(X=2, Y=3)}, 20)
    comparison = Comparison(first, second)
    assert [(row.name, row.extra("lut")) for row in comparison.blocks] == [("a", 3), ("b", 2)]
    assert comparison.percent["lut"] == pytest.approx(100 * (17 - 12) / 12)
    assert comparison.percent["ff"] == 0
    assert comparison.percent["dsp"] is None
    assert comparison.percent["memory_bits"] == pytest.approx(50)


def test_split():
    modules = split(
        "// a comment\nmodule a (\n  input wire x\n);\n  b first (\n    .x(x)\n  );\nendmodule\n\n"
        "// module c (\nmodule b (\n  input wire x\n);\nendmodule\n"
    )
    assert {name: module.children for name, module in modules.items()} == {"a": {"b"}, "b": set()}
    assert modules["b"].header == "module b (\n  input wire x\n"


def test_unknown_target():
    with pytest.raises(UserError, match="ecp5, ice40, gowin, xilinx, asic, not 'vax'"):
        target_named("vax")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "LIBERTY: no file .*missing.lib"),
        ("module m; endmodule", "must be a Liberty file"),
        ("library (l) { cell (INV) { area : 1; } }", "must have a flip-flop"),
    ],
)
def test_wrong_liberty(tmp_path, text, message):
    path = tmp_path / "missing.lib"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_cells((path,))


def test_liberty_is_needed():
    with pytest.raises(UserError, match="must name a Liberty file .* comes with"):
        read_cells(())


def test_wrong_sram(tmp_path):
    with pytest.raises(UserError, match="must be a folder"):
        read_macros(tmp_path / "none")
    with pytest.raises(UserError, match="has none"):
        read_macros(tmp_path)


def test_one_port_serves_what_is_never_read_and_written_at_once(macros):
    memory = use(64, 64)
    assert smallest_tiling(memory, macros).macro.two_ports
    assert smallest_tiling(replace(memory, single_port=True), macros).macro.name == "single"
