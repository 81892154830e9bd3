"""Energy of switching: functions, Liberty tables and netlists worked out by hand, and a unit."""

from pathlib import Path

import numpy as np
import pytest

from hwgen.bench.mac_energy import (
    BLOCKS,
    CYCLES,
    LANES,
    fit_lanes,
    main,
    measure,
    random_operands,
    sample,
)
from hwgen.bench.operands import logged, operands_of
from hwgen.config import load
from hwgen.energy import synthesized
from hwgen.energy.function import compiled
from hwgen.energy.gates import Netlist
from hwgen.energy.library import Edge, read_power
from hwgen.energy.synthesized import netlist_of
from hwgen.errors import UserError
from hwgen.flows.liberty import read_cells
from hwgen.flows.modules import split
from tests.flows.test_timing import CELLS

A, B, C = (
    np.array(bits, bool) for bits in ([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1] * 2, [0, 1] * 4)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", A),
        ("!A", ~A),
        ("A'", ~A),
        ("(A B)'", ~(A & B)),
        ("!(A*B)", ~(A & B)),
        ("!A*B + C", (~A & B) | C),
        ("(!C*A)+(C*B)", np.where(C, B, A)),
        ("A ^ B C", (A ^ B) & C),
        ("A|B&!C", A | (B & ~C)),
        ("!(A^!B)", A ^ B),
        ("1", True),
        ("A + 0", A),
    ],
)
def test_functions(text, expected):
    assert np.array_equal(compiled(text)({"A": A, "B": B, "C": C}), expected)


@pytest.mark.parametrize("text", ["", "(A", "A)", "A*", "A ! B )", "+A"])
def test_no_functions(text):
    with pytest.raises(ValueError):
        compiled(text)


def power(rise: str, fall: str, loads: str = "", when: str = "") -> str:
    """Tables with two slews; ``loads`` are the columns."""
    index = 'index_1 ("0.1, 0.2");' + (f' index_2 ("{loads}");' if loads else "")
    condition = f'when : "{when}"; ' if when else ""
    return (
        f"internal_power () {{ {condition}rise_power (t) {{ {index} values ({rise}); }} "
        f"fall_power (t) {{ {index} values ({fall}); }} }}"
    )


def gate(name: str, function: str, inputs: str) -> str:
    pins = "".join(f"  pin ({pin}) {{ direction : input; capacitance : 2; }}\n" for pin in inputs)
    tables = power('"9, 9", "1.0, 3.0"', '"9, 9", "3.0, 5.0"', "0.0, 4.0")
    return (
        f"cell ({name}) {{\n  area : 1;\n  cell_leakage_power : 3;\n{pins}"
        f'  pin (Y) {{ direction : output; function : "{function}"; {tables} }}\n}}\n'
    )


LIBRARY = (
    'library (l) {\n capacitive_load_unit (1, ff); nom_voltage : 2.0; leakage_power_unit : "1nW";\n'
    + gate("INV", "!A", "A")
    + gate("AND", "A B", "AB")
    + """cell (DFF) {
  area : 4; cell_leakage_power : 5;
  ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
  pin (CK) { direction : input; capacitance : 1;
"""
    + power('"9, 7"', '"9, 5"')
    + power('"9, 900"', '"9, 900"', when="!RESET_B * D")
    + """ }
  pin (D) { direction : input; capacitance : 2;
"""
    + power('"9, 1"', '"9, 3"')
    + """ }
  pin (Q) { direction : output; function : "IQ"; }
}
}
"""
)
"""fF, V: an energy of the tables is 1 fJ."""


@pytest.fixture
def library(tmp_path):
    path = tmp_path / "cells.lib"
    path.write_text(LIBRARY)
    return read_power(read_cells((path,)), {"INV", "AND", "DFF"})


def test_tables(library):
    cells, volts = library
    assert volts == 2.0
    inverter, flip_flop = cells["INV"], cells["DFF"]
    assert inverter.inputs == {"A": pytest.approx(2e-3)} and inverter.leakage == 3e3
    assert inverter.driven["Y"].at(0.0) == pytest.approx(2e-3)  # the second slew; rise and fall
    assert inverter.driven["Y"].at(2e-3) == pytest.approx(3e-3)
    assert inverter.driven["Y"].at(9e-3) == pytest.approx(4e-3)
    assert inverter.passive == {"A": 0.0} and inverter.clock == ""
    assert flip_flop.passive == {"CK": pytest.approx(6e-3), "D": pytest.approx(2e-3)}
    assert (flip_flop.clock, flip_flop.data, flip_flop.state) == ("CK", "D", ("IQ", "IQN"))
    assert flip_flop.driven["Q"] == Edge((0.0,), (0.0,))


OTHER = """/* as ASAP7 is written: no semicolon behind some areas; function : "nothing" */
library (l) {
  capacitive_load_unit (1, ff);
  nom_voltage : 1.0;
  cell (INV) {
    area : 0.04
    pg_pin (VDD) {
      pg_type : primary_power;
    }
    leakage_power () {
      value : 7;
      when : "A";
      related_pg_pin : VDD;
    }
    leakage_power () {
      value : 5
      related_pg_pin : VDD;
    }
    leakage_power () {
      value : 1;
      when : "A";
      related_pg_pin : VSS;
    }
    leakage_power () {
      value : 2;
      when : "!A";
      related_pg_pin : VSS;
    }
    pin (Y) {
      direction : output;
      /* function : "A"; */
      function :
        "!A";
    }
    pin (A) {
      direction : input
      capacitance : 2
    }
  }
  cell (HIGH) {
    area : 0.04
    pin (H) { direction : output; function : "1"; }
  }
  cell (DFFN) {
    area : 0.3;
    pin (QN) { direction : output; function : "IQN"; }
    pin (CLK) { direction : input; capacitance : 1; }
    pin (D) { direction : input; capacitance : 1; }
    ff (IQN,
        IQNN) {
      clocked_on : "!CLK";
      next_state : "!D";
    }
  }
}
"""


def test_a_library_of_another_hand(tmp_path):
    """Lines without semicolons, comments, leakage by supply, inverting flip-flops, constants."""
    path = tmp_path / "cells.lib"
    path.write_text(OTHER)
    cells, volts = read_power(read_cells((path,)), {"INV", "DFFN", "HIGH"})
    assert cells["INV"].outputs == {"Y": "!A"} and cells["INV"].inputs == {"A": 2e-3}
    assert cells["INV"].leakage == 5 + 1.5
    assert (cells["DFFN"].clock, cells["DFFN"].state) == ("CLK", ("IQN", "IQNN"))
    found = netlist(
        (cells, volts),
        r=("DFFN", {"CLK": 2, "D": 3, "QN": 4}),
        i=("INV", {"A": 4, "Y": 9}),
        h=("HIGH", {"H": 6}),
        j=("INV", {"A": 6, "Y": 7}),
    )
    a = np.array([[0], [1], [1], [0], [0]], bool)
    values = found.settle({"a": a})
    assert values[9].tolist() == [True, False, True, True, False]  # it starts with QN low
    assert not values[7].any()
    # Net 3 has a pin of 1 fF, net 4 one of 2; half a V² each.
    assert found.spend({"a": a}).settled == pytest.approx([1.5e-3, 1e-3, 0.5e-3, 1e-3])


def netlist(library, **cells: tuple[str, dict[str, int]]) -> Netlist:
    """Ports: clk is net 2, a is net 3, y is net 9."""
    ports = {"clk": ("input", [2]), "a": ("input", [3]), "y": ("output", [9])}
    module = {
        "ports": {name: {"direction": way, "bits": bits} for name, (way, bits) in ports.items()},
        "cells": {
            name: {"type": kind, "connections": {pin: [net] for pin, net in nets.items()}}
            for name, (kind, nets) in cells.items()
        },
    }
    return Netlist({"modules": {"m": module}}, *library)


def test_by_hand(library):
    """A register, an inverter, and a gate in which what goes and what comes meet."""
    found = netlist(
        library,
        r=("DFF", {"CK": 2, "D": 3, "Q": 4}),
        i=("INV", {"A": 4, "Y": 5}),
        g=("AND", {"A": 4, "B": 5, "Y": 9}),
    )
    a = np.array([[0], [1], [1], [0], [0]], bool)
    values = found.settle({"a": a})
    assert values[4].tolist() == [False, False, True, True, False]
    assert values[5].tolist() == [True, True, False, False, True]
    assert not values[9].any()
    spent = found.spend({"a": a})
    # fJ: net 3 has one listener (2 fF * 4 V² / 2, and 2 within); net 4 two (4 fF); net 5 one, and
    # its driver takes 3 at 2 fF; net 9 has no load, its driver takes 2.
    port, register, inverter, output = 6, 8, 7, 2
    assert spent.settled == pytest.approx(
        [1e-3 * n for n in (port, register + inverter, port, register + inverter)]
    )
    # With the register's rise the gate sees two ones for as long as the inverter takes.
    assert spent.glitches == pytest.approx([0, 2e-3 * output, 0, 0])
    assert spent.clock == pytest.approx(1e-3 * (2 * 6 + 4))
    assert spent.leakage == 3e3 + 3e3 + 5e3


def test_a_register_that_holds_itself(library):
    """Its own output decides what it stores next."""
    found = netlist(library, i=("INV", {"A": 9, "Y": 5}), r=("DFF", {"CK": 2, "D": 5, "Q": 9}))
    values = found.settle({"a": np.zeros((9, 1), bool)})
    assert values[9].tolist() == [False, True] * 4 + [False]


def test_loops_are_refused(library):
    with pytest.raises(ValueError, match="a loop without a flip-flop"):
        netlist(library, i=("INV", {"A": 5, "Y": 6}), g=("INV", {"A": 6, "Y": 5}))


UNIT = """module unit (
  input  wire clk, input wire i_start, input wire [0:0] i_signed,
  input  wire [63:0] i_activations, input wire [63:0] i_weights, output reg [63:0] y
);
  reg [63:0] a, w;
  always @(posedge clk) if (i_start) begin a <= i_activations; w <= i_weights; end
  always @(posedge clk) y <= a & w;
endmodule
"""


def test_a_unit_of_and_gates(tmp_path):
    """What is computed is right, and an operand that is zero costs less."""
    path = tmp_path / "cells.lib"
    path.write_text(CELLS)
    with pytest.raises(UserError, match="LIBERTY: must say nom_voltage, which cells.lib does not"):
        netlist_of(UNIT, "unit", read_cells((path,)))
    path.write_text(CELLS.replace("delay_model", "nom_voltage : 1.2; delay_model"))
    found = netlist_of(UNIT, "unit", read_cells((path,)))
    operands = random_operands(400, seed=3)
    present = np.random.default_rng(4).random((400, LANES)) < 0.5
    operands["i_activations"] *= present
    inputs = {
        "i_start": np.ones((400, 1), bool),
        "i_signed": np.zeros((400, 1), bool),
        **{
            name: np.unpackbits(operands[name], axis=1, bitorder="little").astype(bool)
            for name in ("i_activations", "i_weights")
        },
    }
    values = found.settle(inputs)
    y = np.stack([values[net] for net in found.outputs["y"]], axis=1)
    expected = operands["i_activations"] & operands["i_weights"]
    assert np.array_equal(np.packbits(y, axis=1, bitorder="little")[2:], expected[:-2])
    assert len(found.flip_flops) == 192
    nonzero, zero = fit_lanes(found, operands)
    assert nonzero > 1.2 * zero > 0
    document = measure(found, operands)
    by_name = {row["name"]: row for row in document["pJ_a_product"]}
    assert by_name["random"]["settled"] > by_name["real"]["settled"]
    assert by_name["real weights, activations zero"]["zeros"] == 1.0
    activity = document["activity"]
    assert 1.1 > activity["nonzero"] > activity["zero"] > 0


def test_libraries_that_yosys_or_we_do_not_understand(tmp_path, monkeypatch):
    path = tmp_path / "cells.lib"
    text = CELLS.replace("delay_model", "nom_voltage : 1.2; delay_model")
    path.write_text(text.replace("cell (NAND)", "cell (NAND) nothing"))
    with pytest.raises(UserError, match=r"LIBERTY: Yosys rejects cells\.lib: "):
        netlist_of(UNIT, "unit", read_cells((path,)))
    path.write_text(text)
    made = {"netlist.json": '{"modules": {"unit": {"cells": {"l": {"type": "LATCH"}}}}}'}
    monkeypatch.setattr(synthesized, "run_yosys", lambda *_: made)
    with pytest.raises(UserError, match="LIBERTY: must say what LATCH computes, which cells.lib"):
        netlist_of(UNIT, "unit", read_cells((path,)))


def test_a_sample_is_of_the_whole_run():
    count = 5 * CYCLES
    rows = np.arange(count)[:, None]
    taken = sample({"i_signed": rows, "other": 2 * rows})
    assert len(taken["i_signed"]) == CYCLES and taken["i_signed"][-1] == count - 1
    assert np.array_equal(taken["other"], 2 * taken["i_signed"])
    steps = np.diff(taken["i_signed"][:, 0])
    assert (steps == 1).sum() == CYCLES - BLOCKS
    assert sample({"i_signed": rows[:7]})["i_signed"].shape == (7, 1)


LOGGED = """module group (
  input wire clk
);
  parallel_mac mac0 (
    .clk(clk)
  );
  parallel_mac mac1 (
    .clk(clk)
  );
endmodule

module parallel_mac (
  input  wire        clk
);
  wire x;
endmodule

module parallel_mac_like (
);
endmodule
"""


def test_one_unit_writes_down_what_it_gets():
    text = logged(LOGGED)
    assert text.count("parallel_mac_logged mac0 (") == 1 and "  parallel_mac mac1 (" in text
    modules = split(text)
    assert list(modules) == ["group", "parallel_mac", "parallel_mac_like", "parallel_mac_logged"]
    assert "$fdisplay" in modules["parallel_mac_logged"].text
    assert "$fdisplay" not in modules["parallel_mac"].text
    with pytest.raises(ValueError, match="one cluster and one group"):
        operands_of(None, load("cgnet8"), np.zeros((1, 1)))


def test_no_such_operands(tmp_path):
    (tmp_path / "cells.lib").write_text(LIBRARY)
    (tmp_path / "broken.npz").write_bytes(b"PK")
    arguments = ["--liberty", str(tmp_path / "cells.lib"), "--operands"]
    with pytest.raises(UserError, match="OPERANDS: .*broken.npz cannot be read"):
        main.main([*arguments, str(tmp_path / "broken.npz")], standalone_mode=False)
    with pytest.raises(UserError, match="LIBERTY: no file"):
        main.main(["--liberty", str(Path("none.lib"))], standalone_mode=False)
