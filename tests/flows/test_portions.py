"""A design that is synthesized in portions, and what is told while that goes on."""

import pytest

from hwgen.flows import modules as modules_of_flows
from hwgen.flows.lanes import Lanes
from hwgen.flows.modules import Module, cells_of_modules, split
from hwgen.flows.targets import target_named

DESIGN = """module top (
  input  wire clk,
  input  wire [7:0] a,
  output wire [7:0] y
);
  wire [7:0] first, second;
  pair left (
    .clk(clk), .a(a), .y(first)
  );
  pair right (
    .clk(clk), .a(first), .y(second)
  );
  counter last (
    .clk(clk), .a(second), .y(y)
  );
endmodule

module pair (
  input  wire clk,
  input  wire [7:0] a,
  output wire [7:0] y
);
  wire [7:0] between;
  counter first (
    .clk(clk), .a(a ^ 8'h5a), .y(between)
  );
  counter second (
    .clk(clk), .a(between), .y(y)
  );
endmodule

module counter (
  input  wire clk,
  input  wire [7:0] a,
  output reg  [7:0] y
);
  always @(posedge clk) y <= y + a;
endmodule
"""


def test_portions_are_equal_to_the_whole(tmp_path, monkeypatch):
    runs, honest = [], modules_of_flows.run_statistics

    def noted(script, inputs, progress):
        runs.append(sorted(split(inputs["design.v"])))
        return honest(script, inputs, progress)

    monkeypatch.setattr(modules_of_flows, "run_statistics", noted)
    script = target_named("ecp5").script
    found, told = {}, []
    for portion in (20, 1):
        monkeypatch.setenv("HWGEN_CACHE", str(tmp_path / str(portion)))
        monkeypatch.setattr(modules_of_flows, "PORTION", portion)
        found[portion] = cells_of_modules(
            "top", split(DESIGN), script=script, files={}, progress=told.append
        )
    assert found[1] == found[20] and found[1]["counter"]["TRELLIS_FF"] == 8
    assert found[1]["pair"]["counter"] == found[1]["top"]["pair"] == 2
    # All at once; then each one beside the ports of what it contains.
    alone = [["counter"], ["counter", "pair"], ["counter", "pair", "top"]]
    assert runs == [alone[2], *alone]
    assert "synth_lattice" in told and "synth_lattice, part 2 of 3" in told


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_what_a_portion_contains_is_known_by_then(monkeypatch, size):
    monkeypatch.setattr(modules_of_flows, "PORTION", size)
    children = {"top": "abc", "a": "de", "b": "ef", "c": "f", "d": "g", "e": "gh", "f": "h"}
    modules = {
        name: Module(name, "", dict(enumerate(children.get(name, "")))) for name in [*"abcdefgh"]
    } | {"top": Module("top", "", dict(enumerate(children["top"])))}
    known = {"h", "e", "g"}
    for root, portion in modules_of_flows._portions("top", modules, frozenset(known)):
        assert root in portion and not portion & known
        assert len(portion) >= size or root == "top"
        known |= portion
        assert all(modules[name].children <= known for name in portion)
    assert known == modules.keys()
    assert list(modules_of_flows._portions("top", modules, frozenset(known))) == []


def test_one_line_for_all():
    told = []
    lanes = Lanes(told.append)
    with lanes.of("clock") as clock:
        clock("Yosys: opt")
        with lanes.of("area") as area:
            area("Yosys: abc9")
            clock("nextpnr: placing")
        clock("nextpnr: routing")
    assert told == [
        "Yosys: opt (clock)",
        "Yosys: abc9 (area) + Yosys: opt (clock)",
        "Yosys: abc9 (area) + nextpnr: placing (clock)",
        "nextpnr: placing (clock)",
        "nextpnr: routing (clock)",
    ]
