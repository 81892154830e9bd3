"""How fast designs are: small ones that one can work out by hand, through the real tools."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hwgen.errors import UserError
from hwgen.flows import cell_timing as cells_module
from hwgen.flows import route as route_module
from hwgen.flows.cell_timing import cell_timing
from hwgen.flows.liberty import SramMacro, read_cells
from hwgen.flows.memories import Tiling, memory_library
from hwgen.flows.modules import split
from hwgen.flows.nextpnr import check_fit, run_nextpnr
from hwgen.flows.parts import PARTS, part_named
from hwgen.flows.paths import Instances, critical_path
from hwgen.flows.route import Placement, route, route_best
from hwgen.flows.slices import slices_taken
from hwgen.tools import find

NESTED = """module top (
  input  wire clk,
  input  wire [7:0] a,
  output wire [7:0] y
);
  wire [7:0] between;
  inner first (
    .clk(clk), .a(a), .y(between)
  );
  inner second (
    .clk(clk), .a(between), .y(y)
  );
endmodule

module inner (
  input  wire clk,
  input  wire [7:0] a,
  output reg  [7:0] y
);
  always @(posedge clk) y <= y + a;
endmodule
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Nothing is known yet, and nothing stays known."""
    monkeypatch.setenv("HWGEN_CACHE", str(tmp_path / "cache"))


def step(kind: str, delay: float, to: str, net: str = "") -> dict:
    return {"type": kind, "delay": delay, "to": {"cell": to}, "net": net}


def test_critical_path():
    """Steps in a block are one stretch; the slowest path between clock edges counts."""
    instances = Instances("top", split(NESTED))
    steps = [
        step("clk-to-q", 0.5, "first.y_FF"),
        step("routing", 1.0, "second.y_LUT", "first.y[3]"),
        step("logic", 0.25, "second.y_LUT"),
        step("routing", 0.5, "second.y_FF", "second.sum[3]"),
        step("setup", 0.125, "second.y_FF"),
    ]
    slow = {"from": "posedge clk", "to": "posedge clk", "path": steps}
    quick = {"from": "posedge clk", "to": "posedge clk", "path": steps[:1]}
    outside = {"from": "<async>", "to": "posedge clk", "path": [step("routing", 99.0, "y")]}
    found = critical_path([quick, slow, outside], instances)
    assert [(s.block, s.module, s.cells, s.logic, s.routing, s.signal) for s in found] == [
        ("first", "inner", 1, 0.5, 0.0, ""),
        ("second", "inner", 1, 0.375, 1.5, "sum[3]"),
    ]
    assert critical_path([outside], instances) == ()
    assert instances.of("first_y") == ""


@pytest.mark.parametrize("part", ["lfe5u-12f", "up5k", "gw1nr-9"])
def test_route(part, monkeypatch):
    """A design of 16 flip-flops; another seed takes the same netlist, and the same again is read
    from the cache.
    """
    placement = Placement(PARTS[part], frequency=50.0, seed=2)
    stages = []
    found = route("top", split(NESTED), placement, stages.append)
    assert 20 < found.fmax < 1000
    assert found.used["LUTs"][0] >= (0 if part == "gw1nr-9" else 16)  # Gowin counts carries apart
    assert found.used["flip-flops" if part != "up5k" else "LUTs"][0] >= 16
    assert {stretch.module for stretch in found.path} <= {"inner", "top"}
    period = sum(stretch.logic + stretch.routing for stretch in found.path)
    assert period == pytest.approx(1000 / found.fmax, rel=0.01)
    assert any(stage.startswith("Yosys: ") for stage in stages)
    assert {"nextpnr: packing", "nextpnr: routing"} <= set(stages)
    monkeypatch.setattr(route_module, "run_yosys", None)
    again = route("top", split(NESTED), replace(placement, seed=3))
    assert again.placement.seed == 3 and 20 < again.fmax < 1000
    monkeypatch.setattr(route_module, "run_nextpnr", None)
    assert route("top", split(NESTED), placement).as_dict() == found.as_dict()


def test_the_fastest_of_several_seeds(monkeypatch):
    """One netlist for all; each placement is what it is alone."""
    placement, ran = Placement(PARTS["up5k"], seed=3), []
    for name in ("run_yosys", "run_nextpnr"):
        tool = getattr(route_module, name)

        def noted(*arguments, name=name, tool=tool):
            ran.append(name)
            return tool(*arguments)

        monkeypatch.setattr(route_module, name, noted)
    best = route_best("top", split(NESTED), placement, 3)
    assert ran == ["run_yosys"] + 3 * ["run_nextpnr"]
    alone = [route("top", split(NESTED), replace(placement, seed=n)).fmax for n in (3, 4, 5)]
    assert len(ran) == 4
    assert best.tried == dict(zip((3, 4, 5), alone, strict=True))
    assert best.fmax == max(alone) == best.tried[best.placement.seed]
    assert best.as_dict()["median"] == pytest.approx(sorted(alone)[1], abs=0.01)


def test_what_does_not_fit():
    """nextpnr gives up; the user hears of what there is too little, and what to lower."""
    products = "\n".join(f"  always @(posedge clk) y{n} <= y{n} * a + a;" for n in range(9))
    ports = ",\n".join(f"  output reg  [15:0] y{n}" for n in range(9))
    text = f"module m (\n  input  wire clk,\n  input  wire [15:0] a,\n{ports}\n);\n{products}\n"
    with pytest.raises(UserError, match=r"m does not fit up5k: it takes 9 DSPs of 8 \(1 too many"):
        route("m", split(text + "endmodule\n"), Placement(PARTS["up5k"]))


def test_no_place_for_all(monkeypatch):
    """There is room by count, and yet the placer finds none."""
    said = ["Info: Packing constants..", "Info: \t TRELLIS_COMB: 83000/83640 99%"]
    said += ["Info: \t DP16KD: 20/ 208 9%", "Info: Running main analytical placer."]
    said += ["ERROR: Unable to find legal placement for all cells, design is at its limit."]

    def run_tool(tool, arguments, folder, told):
        for line in said:
            told(line)
        return 1

    monkeypatch.setattr("hwgen.flows.nextpnr.run_tool", run_tool)
    part = PARTS["lfe5u-85f"]
    with pytest.raises(UserError) as error:
        run_nextpnr("m", part, [], {"netlist.json": ""}, (), lambda stage: None)
    assert str(error.value) == (
        "m does not fit lfe5u-85f: nextpnr-ecp5 gives up placing it (Unable to find legal place"
        "ment for all cells, design is at its limit.); fullest are 83,000 LUTs of 83,640: lower "
        "array.clusters, array.engines, array.slots, array.group or control.queue_depth"
    )
    del said[3]  # what goes wrong before is a bug
    with pytest.raises(RuntimeError, match="nextpnr-ecp5 failed: Unable to find"):
        run_nextpnr("m", part, [], {"netlist.json": ""}, (), lambda stage: None)


def test_slices(monkeypatch):
    """A flip-flop shares a slice with the LUT or ALU that it stores, and with no other."""

    def cell(kind, **wires):
        return {"type": kind, "connections": {name: [wire] for name, wire in wires.items()}}

    cells = [cell("LUT2", F=1), cell("LUT4", F=2), cell("ALU", SUM=3, COUT=4), cell("IBUF", O=8)]
    cells += [cell("DFFRE", D=1, Q=5), cell("DFFE", D=1, Q=6), cell("DFF", D=3, Q=7)]
    cells += [cell("DFF", D=5, Q=9), cell("DFF", D=4, Q=10), cell("RAM16SDP4")]
    top = {"attributes": {"top": "1"}, "cells": {f"c{n}": c for n, c in enumerate(cells)}}
    box = {"attributes": {"blackbox": "1"}, "cells": {}}
    netlist = json.dumps({"modules": {"LUT2": box, "m": top}})
    assert slices_taken(netlist) == 2 + 1 + 4 + 3

    monkeypatch.setattr(route_module, "run_yosys", lambda *_: {"netlist.json": netlist})
    monkeypatch.setattr(route_module, "run_nextpnr", None)
    part = replace(PARTS["gw1nr-9"], slices=9)
    told = r"m does not fit gw1nr-9: it takes 10 slices of 9 \(1 too many: lower array.clusters"
    with pytest.raises(UserError, match=told):
        route("m", split("module m (\n);\nendmodule\n"), Placement(part))


def test_what_is_told_while_it_lasts(monkeypatch):
    said = ["Info: Packing constants..", "Info: Creating initial analytic placement for 9 cells"]
    said += ["Info:     at iteration #2, type ALL: wirelen solved = 60, spread = 1, legal = 2; "]
    said += ["Info: Running simulated annealing placer for refinement."]
    said += ["Info:   at iteration #5: temp = 0.000000, timing cost = 1848, wirelen = 112292"]
    said += ["Info: Routing..", "Info: Setting up routing queue.", "Info: Routing 69 arcs."]
    said += ["Info:    IterCnt |  w/ripup   wo/ripup |  w/r  wo/r |      arcs| batch(sec) total|"]
    said += ["Info:       1000 |       12        987 |   12   987 |     68012|       1.1    1.1|"]
    said += ["Info:     iter=3 wires=9 overused=2 overuse=2 archfail=NA", "Info: Critical path"]

    def run_tool(tool, arguments, folder, told):
        for line in said:
            told(line)
        Path(folder, "report.json").write_text(
            '{"fmax": {}, "utilization": {}, "critical_paths": []}'
        )

    monkeypatch.setattr("hwgen.flows.nextpnr.run_tool", run_tool)
    told = []
    run_nextpnr("m", PARTS["lfe5u-85f"], [], {"netlist.json": ""}, (), told.append)
    assert [stage.removeprefix("nextpnr: ") for stage in dict.fromkeys(told)] == [
        "packing", "placing", "placing, round 2", "refining the placement",
        "refining the placement, round 5", "routing", "routing, 68012 connections left",
        "routing, round 3", "timing",
    ]  # fmt: skip


def test_fit_names_parameters():
    used = {"DSPs": (29, 28), "LUTs": (10, 20), "block RAM": (60, 56)}
    with pytest.raises(UserError) as error:
        check_fit(PARTS["lfe5u-25f"], used, "big")
    message = str(error.value)
    assert "29 DSPs of 28 (1 too many: lower array.clusters" in message
    assert "60 block RAM of 56 (4 too many: lower memory.activation_words" in message
    assert "LUTs" not in message
    check_fit(PARTS["lfe5u-25f"], {"DSPs": (28, 28)}, "just")


def test_parts():
    assert part_named(None, "ice40").name == "up5k"
    with pytest.raises(UserError, match="PART: must be one of up5k, hx8k for ice40, not 'hx1k'"):
        part_named("hx1k", "ice40")
    with pytest.raises(UserError, match="TARGET: must be one of ecp5, ice40, gowin to be routed"):
        part_named(None, "xilinx")


def gate(name: str, function: str, area: float, delay: float) -> str:
    """A gate whose inputs A and B take ``delay`` ns to its output."""
    inputs = [pin for pin in "AB" if pin in function]
    values = f'values ("{delay}")'
    tables = f"cell_rise (scalar) {{ {values}; }} cell_fall (scalar) {{ {values}; }}"
    tables += ' rise_transition (scalar) { values ("0.01"); }'
    tables += ' fall_transition (scalar) { values ("0.01"); }'
    sense = "negative_unate" if "!" in function else "positive_unate"
    arcs = "\n".join(
        f"    timing () {{ related_pin : {pin}; timing_sense : {sense}; {tables} }}"
        for pin in inputs
    )
    pins = "\n".join(
        f"  pin ({pin}) {{ direction : input; capacitance : 0.001; }}" for pin in inputs
    )
    return (
        f"cell ({name}) {{\n  area : {area} ;\n{pins}\n"
        f'  pin (Y) {{ direction : output; max_capacitance : 1; function : "{function}";\n'
        f"{arcs} }}\n}}\n"
    )


CELLS = """library (cells) {
delay_model : table_lookup; time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1mA";
pulling_resistance_unit : "1kohm"; leakage_power_unit : "1nW"; capacitive_load_unit (1,pf);
input_threshold_pct_rise : 50; input_threshold_pct_fall : 50;
output_threshold_pct_rise : 50; output_threshold_pct_fall : 50;
slew_lower_threshold_pct_rise : 20; slew_lower_threshold_pct_fall : 20;
slew_upper_threshold_pct_rise : 80; slew_upper_threshold_pct_fall : 80;
cell (DFF) {
  area : 20 ;
  ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
  pin (CK) { direction : input; clock : true; capacitance : 0.001; }
  pin (D) { direction : input; capacitance : 0.001;
    timing () { related_pin : CK; timing_type : setup_rising;
      rise_constraint (scalar) { values ("0.25"); } fall_constraint (scalar) { values ("0.25"); } }
  }
  pin (Q) { direction : output; function : "IQ"; max_capacitance : 1;
    timing () { related_pin : CK; timing_type : rising_edge;
      cell_rise (scalar) { values ("0.5"); } cell_fall (scalar) { values ("0.5"); }
      rise_transition (scalar) { values ("0.01"); }
      fall_transition (scalar) { values ("0.01"); } }
  }
}
""" + "".join(
    [
        gate("INV", "!A", 1, 0.125),
        gate("BUF", "A", 2, 0.125),
        gate("NAND", "!(A B)", 2, 1.0),
        gate("NOR", "!(A+B)", 2, 1.0),
        "}\n",
    ]
)

GATES = """module top (
  input  wire clk,
  input  wire a,
  output wire y
);
  wire q;
  source first (
    .clk(clk), .a(a), .q(q)
  );
  sink second (
    .clk(clk), .q(q), .y(y)
  );
endmodule

module source (
  input  wire clk,
  input  wire a,
  output reg  q
);
  always @(posedge clk) q <= a;
endmodule

module sink (
  input  wire clk,
  input  wire q,
  output reg  y
);
  reg other;
  always @(posedge clk) begin
    other <= q;
    y <= ~(q & other);
  end
endmodule
"""


@pytest.fixture
def cells(tmp_path):
    path = tmp_path / "cells.lib"
    path.write_text(CELLS)
    return read_cells((path,))


def test_gates_by_hand(cells, monkeypatch):
    """A register of 0.5 ns, a gate of 1 ns, a buffer of 0.125 ns, a set-up time of 0.25 ns."""
    assert cells.buffer == "BUF"
    if find("sta") is not None:
        found = cell_timing("top", split(GATES), cells, {})
        assert found.method == "OpenSTA" and found.memories == "in cells"
        assert found.fmax == pytest.approx(1000 / 1.875)
        assert sum(stretch.logic for stretch in found.path) == pytest.approx(1.625)
        assert [stretch.module for stretch in found.path][-1] == "sink"
    monkeypatch.setattr(cells_module, "find", lambda tool: None)
    estimate = cell_timing("top", split(GATES), cells, {})
    assert estimate.method.startswith("abc's estimate") and estimate.path == ()
    assert estimate.fmax == pytest.approx(1000 / 1.0, rel=0.3)  # abc's own idea of a driver's load


MEMORY = """module top (
  input  wire clk,
  input  wire [3:0] a,
  output reg  [7:0] y
);
  wire [7:0] row;
  ram_16x8 memory (
    .clk(clk), .w_en(1'b1), .w_addr(a), .w_data({a, a}), .r_en(1'b1), .r_addr(a), .r_data(row)
  );
  always @(posedge clk) y <= row;
endmodule

module ram_16x8 (
  input  wire       clk,
  input  wire       w_en,
  input  wire [3:0] w_addr,
  input  wire [7:0] w_data,
  input  wire       r_en,
  input  wire [3:0] r_addr,
  output reg  [7:0] r_data
);
endmodule
"""


def test_memories_by_hand(cells):
    """A macro that takes 3 ns to answer, and a set-up time of 0.25 ns."""
    tiling = Tiling(SramMacro("m", 16, 8, 100.0, True, access=3.0, setup=0.5), 1, 1)
    modules = split(MEMORY)
    text = memory_library({"ram_16x8": (modules["ram_16x8"].header, tiling)})
    assert text.count('values ("3.0")') == 2 and text.count('values ("0.5")') == 2 * 5
    if find("sta") is not None:
        found = cell_timing("top", modules, cells, {"ram_16x8": tiling})
        assert found.fmax == pytest.approx(1000 / 3.25)
        assert found.memories == "at the slowest access of their macros"
        assert [(s.block, s.module, s.cells, s.logic) for s in found.path] == [
            ("memory", "ram_16x8", 1, 3.0)
        ]
        unknown = cell_timing("top", modules, cells, {"ram_16x8": None})
        assert "1 kinds without macros" in unknown.memories
        json.dumps(unknown.as_dict())
