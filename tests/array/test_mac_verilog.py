"""Verilog of the dot product units: clean for Verilator, and what Amaranth simulates."""

from pathlib import Path

import pytest

import hwgen.verilog
from hwgen import tools
from hwgen.rtl.mac import BitBrickMac, Mode, SerialMac, SubwordMac, XnorMac
from hwgen.verilog import emit

from ..verilog.benches import compare, run, sources

WAIVERS = Path(hwgen.verilog.__file__).with_name("waivers.vlt")
SQUARE = [Mode(8, 8), Mode(4, 4), Mode(2, 2)]
UNITS = {
    "bricks": lambda: BitBrickMac(lanes=4, modes=[*SQUARE, Mode(8, 2), Mode(2, 4)]),
    "bricks16": lambda: BitBrickMac(lanes=8, modes=[Mode(16, 16), Mode(3, 16)]),
    "serial": lambda: SerialMac(lanes=4, modes=[Mode(bits, 8) for bits in (1, 5, 8, 16)]),
    "subword": lambda: SubwordMac(lanes=4),
    "xnors": lambda: XnorMac(lanes=8),
}


@pytest.mark.parametrize("name", UNITS)
def test_verilator_warns_of_nothing_that_is_not_waived(name, tmp_path):
    (tmp_path / f"{name}.v").write_text(emit(UNITS[name](), name=name))
    command = [tools.locate("verilator"), "--lint-only", "-Wall", WAIVERS, "--top-module", name]
    assert "%" not in run([*command, f"{name}.v"], tmp_path)


@pytest.mark.icarus
def test_icarus_says_what_amaranth_says(tmp_path):
    # The bench resets for a cycle, Amaranth does not, and equal operands do not count as nothing.
    units = {name: unit for name, unit in UNITS.items() if name != "xnors"}
    files, answers = sources(units, 6, tmp_path)
    command = [tools.locate("iverilog"), "-g2005", "-o", "out", "-s", "bench", *files]
    run(command, tmp_path)
    compare(run([tools.locate("vvp"), "out"], tmp_path), answers)
