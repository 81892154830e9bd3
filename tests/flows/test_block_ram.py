"""Registers behind a block RAM move into it, and it stays what it was."""

import json
import subprocess

import pytest
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen import tools
from hwgen.flows.block_ram import with_output_registers
from hwgen.flows.yosys import run_yosys
from hwgen.memory import RAM
from hwgen.verilog import emit

WIDTH, DEPTH = 40, 64  # one block of 36 bits, and one with 4 of them


class Bank(wiring.Component):
    """A memory whose answers go into a register when they are taken."""

    def __init__(self):
        super().__init__(
            {
                "w_en": In(1),
                "w_addr": In(6),
                "w_data": In(WIDTH),
                "r_en": In(1),
                "r_addr": In(6),
                "take": In(1),
                "o": Out(WIDTH),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = RAM(depth=DEPTH, width=WIDTH, style="block")
        taken = Signal(WIDTH, reset_less=True)
        for name in ("w_en", "w_addr", "w_data", "r_en", "r_addr"):
            m.d.comb += getattr(ram, name).eq(getattr(self, name))
        with m.If(self.take):
            m.d.sync += taken.eq(ram.r_data)
        m.d.comb += self.o.eq(taken)
        return m


# A block with 36 bits a row, as Yosys uses it: writes through A, reads through B, a row's halves at
# the pins of both; an output register takes what the array has answered.
BLOCK = """
module DP16KD ({pins});
  input {inputs};
  output {outputs};
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, REGMODE_A = "NOREG", REGMODE_B = "NOREG";
  parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000", RESETMODE = "SYNC", GSR = "ENABLED";
  parameter ASYNC_RESET_RELEASE = "SYNC", CLKAMUX = "CLKA", CLKBMUX = "CLKB";
  reg [35:0] rows [0:511];
  reg [35:0] answer, held;
  wire [13:0] at = {{{ada}}}, from = {{{adb}}};
  wire [35:0] data = {{{dib}, {dia}}};
  assign {{{dob}, {doa}}} = {{REGMODE_B == "OUTREG" ? held[35:18] : answer[35:18],
                              REGMODE_A == "OUTREG" ? held[17:0] : answer[17:0]}};
  initial if (DATA_WIDTH_A != 36 || DATA_WIDTH_B != 36) $display("not modelled");
  integer n;
  always @(posedge CLKA) if (CEA & WEA)
    for (n = 0; n < 4; n = n + 1)
      if (at[n]) rows[at[13:5]][9 * n +: 9] <= data[9 * n +: 9];
  always @(posedge CLKB) begin
    if (CEB) answer <= rows[from[13:5]];
    if (OCEB) held <= answer;
  end
endmodule
"""

BENCH = """
module bench;
  reg clk = 0, w_en, r_en, take;
  reg [5:0] w_addr, r_addr;
  reg [39:0] w_data;
  wire [39:0] ours, theirs;
  integer n, seed = 1;
  ours dut (.clk(clk), .rst(1'b0), .w_en(w_en), .w_addr(w_addr), .w_data(w_data), .r_en(r_en),
            .r_addr(r_addr), .take(take), .o(ours));
  theirs reference (.clk(clk), .rst(1'b0), .w_en(w_en), .w_addr(w_addr), .w_data(w_data),
                    .r_en(r_en), .r_addr(r_addr), .take(take), .o(theirs));
  initial begin
    for (n = 0; n < 4000; n = n + 1) begin
      w_en = n < 64 || $random(seed); w_addr = n < 64 ? n : $random(seed);
      w_data = {$random(seed), $random(seed)};
      r_en = n < 70 ? n >= 64 : $random(seed); r_addr = $random(seed); take = $random(seed);
      if (n < 70 && n >= 64) begin w_en = 0; take = 1; end
      if (r_addr == w_addr) r_en = 0;
      #1 clk = 1; #1 clk = 0;
      if (n > 70 && (ours !== theirs || ^ours === 1'bx)) $display("%0d: %h %h", n, ours, theirs);
    end
    $display("equal");
  end
endmodule
"""


def _block() -> str:
    """The model, with one wire a pin."""
    buses = {"ADA": 14, "ADB": 14, "DIA": 18, "DIB": 18, "DOA": 18, "DOB": 18, "CSA": 3, "CSB": 3}
    buses = {bus: [f"{bus}{n}" for n in reversed(range(bits))] for bus, bits in buses.items()}
    single = [f"{name}{port}" for name in ("CE", "CLK", "OCE", "RST", "WE") for port in "AB"]
    outputs = buses["DOA"] + buses["DOB"]
    inputs = [*single, *(pin for bus in buses.values() for pin in bus if pin not in outputs)]
    return BLOCK.format(
        pins=", ".join([*inputs, *outputs]),
        inputs=", ".join(inputs),
        outputs=", ".join(outputs),
        **{bus.lower(): ", ".join(pins) for bus, pins in buses.items()},
    )


@pytest.fixture(scope="module")
def bank() -> tuple[str, dict]:
    """The emitted Verilog, and the netlist."""
    text = emit(Bank(), name="theirs")
    script = "read_verilog design.v\nsynth_ecp5 -top theirs\nwrite_json netlist.json\n"
    made = run_yosys(script, {"design.v": text}, ("netlist.json",))
    return text, json.loads(made["netlist.json"])


def _cells(netlist: dict, kind: str) -> list[dict]:
    cells = netlist["modules"]["theirs"]["cells"].values()
    return [cell for cell in cells if cell["type"] == kind]


def _copy(netlist: dict) -> dict:
    return json.loads(json.dumps(netlist))


@pytest.mark.icarus
def test_it_stays_what_it_was(bank, tmp_path):
    text, netlist = bank
    netlist = _copy(netlist)
    for cell in _cells(netlist, "DP16KD"):
        named = cell["parameters"].items()
        cell["parameters"] = {k: v for k, v in named if not k.startswith("INITVAL")}
    assert len(_cells(netlist, "TRELLIS_FF")) == WIDTH
    assert with_output_registers(netlist) == 2
    assert not _cells(netlist, "TRELLIS_FF")
    script = "read_json netlist.json\nrename theirs ours\nwrite_verilog -noattr ours.v\n"
    made = run_yosys(script, {"netlist.json": json.dumps(netlist)}, ("ours.v",))
    ours = made["ours.v"][made["ours.v"].index("module ours") :]
    files = {"ours.v": ours, "theirs.v": text, "block.v": _block(), "bench.v": BENCH}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    command = [tools.locate("iverilog"), "-g2012", "-o", "out", "-s", "bench", *files]
    subprocess.run(command, cwd=tmp_path, check=True)
    told = subprocess.run(
        [tools.locate("vvp"), "out"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert told.stdout == "equal\n", told.stdout[:2000]


def _another_user(module, register):
    spare = {"port_directions": {"A": "input"}, "connections": {"A": register["connections"]["DI"]}}
    module["cells"]["spare"] = {"type": "LUT4", "parameters": {}, **spare}


def _another_enable(module, register):
    register["connections"]["CE"] = ["1"]


def _a_reset(module, register):
    register["connections"]["LSR"] = register["connections"]["CE"]


def _another_clock(module, register):
    register["connections"]["CLK"] = register["connections"]["CE"]


def _a_port(module, register):
    module["ports"]["seen"] = {"direction": "output", "bits": register["connections"]["DI"]}


@pytest.mark.parametrize(
    "change", [_another_user, _another_enable, _a_reset, _another_clock, _a_port]
)
def test_what_keeps_a_register_outside(bank, change):
    netlist = _copy(bank[1])
    module = netlist["modules"]["theirs"]
    change(module, _cells(netlist, "TRELLIS_FF")[0])
    assert with_output_registers(netlist) == 1
    kept = len(_cells(netlist, "TRELLIS_FF"))
    assert 0 < kept < WIDTH
    modes = sorted(cell["parameters"]["REGMODE_B"] for cell in _cells(netlist, "DP16KD"))
    assert modes == ["NOREG", "OUTREG"]
