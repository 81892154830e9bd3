"""What tools say of the emitted Verilog: lint, structure, memories in memory primitives."""

import subprocess
from pathlib import Path

import pytest

from hwgen import verilog
from hwgen.flows.modules import split
from hwgen.flows.yosys import run_statistics
from hwgen.memory import MemoryUse
from hwgen.tools import environment, locate

WAIVERS = Path(verilog.__file__).with_name("waivers.vlt")
FLIP_FLOP_BITS = 1024
"""Memories of more bits must be memory primitives everywhere."""

LIBRARIES = {
    "ecp5": "read_verilog -lib -specify +/ecp5/cells_sim.v +/ecp5/cells_bb.v\n"
    "synth_ecp5 -noflatten -run coarse:map_ffram",
    "ice40": "read_verilog -D ICE40_U -lib -specify +/ice40/cells_sim.v\n"
    "synth_ice40 -device u -dsp -noflatten -run coarse:map_ffram",
    "gowin": "read_verilog -specify -lib +/gowin/cells_sim.v\n"
    "synth_gowin -family gw2a -noflatten -run coarse:map_ffram",
    "xilinx": "read_verilog -lib -specify +/xilinx/cells_sim.v\n"
    "synth_xilinx -family xc7 -run coarse:map_ffram",
}
"""The beginning of each synthesis, up to where left-over memories would become flip-flops."""


@pytest.fixture(scope="module")
def tiny(tiny_artifacts, tmp_path_factory):
    """``tiny`` as text, as a file, and its memories by the name of their modules."""
    artifacts = tiny_artifacts
    file = artifacts.write(tmp_path_factory.mktemp("rtl"))["v"]
    uses = [
        MemoryUse(**{key: value for key, value in memory.items() if key != "bits"})
        for memory in artifacts.document["memories"]
    ]
    return artifacts.verilog, file, {use.verilog_name: use for use in uses}


def silent(command: list) -> None:
    """Run a program that must have nothing to say."""
    result = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )
    said = [line for line in (result.stdout + result.stderr).splitlines() if line[:2] != "- "]
    assert (result.returncode, said) == (0, [])


def test_verilator(tiny):
    _, file, _ = tiny
    silent([locate("verilator"), "--lint-only", "-Wall", "--top-module", "tiny", WAIVERS, file])


@pytest.mark.icarus
def test_icarus(tiny):
    _, file, _ = tiny
    silent([locate("iverilog"), "-g2012", "-Wall", "-t", "null", "-s", "tiny", file])


STRUCTURE = """read_verilog design.v
hierarchy -check -top {top}
proc
check -assert
flatten
opt_clean
check -assert
select -assert-none t:$dlatch t:$adlatch t:$dlatchsr t:$sr t:$_DLATCH*
"""


def test_structure(tiny):
    """No latch, no combinational loop through the whole design, no wire driven twice or never."""
    text, _, _ = tiny
    run_statistics(STRUCTURE.format(top="tiny"), {"design.v": text})


@pytest.mark.parametrize(
    "fault",
    [
        "  always @* if (x) y = x;",
        "  wire a, b; assign a = b & x; assign b = a | x; assign y = a;",
        "  assign y = x & z; assign y = !x;",
    ],
)
def test_structure_can_fail(fault):
    """A latch, a loop, two drivers."""
    kind = "reg " if "always" in fault else "wire"
    text = f"module m (input wire x, input wire z, output {kind} y);\n{fault}\nendmodule\n"
    with pytest.raises(RuntimeError, match="check|select"):
        run_statistics(STRUCTURE.format(top="m"), {"design.v": text})


@pytest.mark.parametrize("family", LIBRARIES)
def test_memories_are_primitives(tiny, family):
    """Every memory of more than a kbit; all of them where there is LUT RAM."""
    text, _, shapes = tiny
    modules = split(text)
    design = "\n\n".join(modules[name].text for name in shapes)
    statistics = run_statistics(
        f"read_verilog design.v\nproc\n{LIBRARIES[family]}", {"design.v": design}
    )
    left = {
        use.depth * use.width
        for name, use in shapes.items()
        if any(
            cell.startswith("$mem")
            for cell in statistics["modules"][f"\\{name}"]["num_cells_by_type"]
        )
    }
    assert max(left, default=0) <= (FLIP_FLOP_BITS if family == "ice40" else 0)
