"""The dot product units stay smaller than those of others, in the flow of the others' figures."""

import json

from click.testing import CliRunner

from hwgen.bench.mac_area import RIVALS, SQUARE, main, measured
from hwgen.rtl.mac import BitBrickMac, Mode, SerialMac


def test_bricks_are_smaller_than_a_fusion_unit():
    """Products a cycle as many, registers and the sum of steps included."""
    rival = RIVALS[0]
    unit = measured("bricks", BitBrickMac(lanes=4, modes=SQUARE))
    assert unit.products == rival.products
    assert unit.area.lut4 <= rival.area.lut4
    assert unit.area.ccu2c <= rival.area.ccu2c
    assert unit.area.transistors <= rival.area.transistors


def test_two_serial_lanes_are_smaller_than_one_of_bit_fusion():
    rival = RIVALS[1]
    unit = measured("serial", SerialMac(lanes=2, modes=[Mode(bits, 8) for bits in range(1, 9)]))
    assert unit.products[Mode(1, 8)] == 2 * rival.products[Mode(1, 8)]
    assert unit.area.lut4 <= rival.area.lut4
    assert unit.area.ccu2c <= rival.area.ccu2c
    assert unit.area.transistors <= rival.area.transistors


def test_command_measures_modules_of_others(tmp_path):
    ports = "(input a, b, c, output y)"
    for name, text in {
        "top.v": f"module top {ports}; part p (.a(a), .b(b), .c(c), .y(y)); endmodule",
        "part.v": f"module part {ports}; assign y = a & b ^ c; endmodule",
    }.items():
        (tmp_path / name).write_text(text)
    command = ["--only", "nothing", "--json"]
    for name in ("top.v", "part.v"):
        command += ["--rival", "top", str(tmp_path / name)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    (unit,) = json.loads(result.stdout)
    assert (unit["name"], unit["lut4"], unit["ccu2c"], unit["flip_flops"]) == ("top", 1, 0, 0)
    assert 0 < unit["transistors"] < 50
