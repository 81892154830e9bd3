"""Bitstreams of a small system for each family of boards."""

import pytest

from hwgen.config import load
from hwgen.errors import UserError
from hwgen.flows import bitstream
from hwgen.flows.bitstream import board_verilog, make_bitstream
from hwgen.flows.boards import BOARDS, board_named

ECHO = """
module {name} (
  input  wire clk,
  input  wire rst,
  input  wire rx,
  output reg  tx
);
  wire line;
  {name}_parallel_mac mac (
    .clk(clk), .i(rx), .o(line)
  );
  always @(posedge clk) tx <= rst | line;
endmodule

module {name}_parallel_mac (
  input  wire clk,
  input  wire i,
  output reg  o
);
  always @(posedge clk) o <= i;
endmodule
"""


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """A line that echoes, instead of an accelerator; nothing is known yet. A part of it is called
    like what stays a module of its own where that is better.
    """
    monkeypatch.setenv("HWGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        bitstream, "system_verilog", lambda config, name, **wanted: ECHO.format(name=name)
    )


@pytest.mark.parametrize(
    ("board", "clock_hz", "begins"),
    [
        ("orangecrab", 24_000_000, b"\xff\x00"),
        ("icebreaker", 12_000_000, b"\xff\x00\x00\xff\x7e\xaa\x99\x7e"),
        ("tang_nano_9k", 27_000_000, b"1" * 64),
    ],
)
def test_bitstream(board, clock_hz, begins, monkeypatch):
    made = make_bitstream(load("tiny"), BOARDS[board])
    assert made.data.startswith(begins) and len(made.data) > 10_000
    assert made.clock_hz == clock_hz
    assert made.routing.used["pins"][0] == 3
    monkeypatch.setattr(bitstream, "run_yosys", None)
    assert make_bitstream(load("tiny"), BOARDS[board]).data == made.data


@pytest.mark.parametrize("board", BOARDS)
def test_pins(board):
    """Three pins, each on its own place, and the oscillator of the board."""
    chosen = board_named(board)
    pins = chosen.pins()
    assert set(pins) == {"clk", "rx", "tx"} and len(set(pins.values())) == 3
    file, text, _told = chosen.constraints()
    assert all(port in text and pin in text for port, pin in pins.items())
    assert chosen.board_hz in (12_000_000, 25_000_000, 27_000_000, 48_000_000)


def test_top():
    """Divided by two stages, held in reset for 16 cycles."""
    text = board_verilog("t", "s", 4)
    assert "reg [1:0] halves" in text and "system_clk = halves[1]" in text
    assert "wire system_clk = clk;" in board_verilog("t", "s", 1)


@pytest.mark.parametrize(
    ("board", "most"), [("ulx3s", 1 << 18), ("icebreaker", 1 << 17), ("tang_nano_9k", 1 << 15)]
)
def test_more_memory_than_there_is(board, most, monkeypatch):
    """Told before anything is generated: a memory of 1 GiB would be, word by word."""
    monkeypatch.setattr(bitstream, "system_verilog", None)
    assert BOARDS[board].memory_bytes <= most
    with pytest.raises(
        UserError, match=f"MEMORY: must be at most {most} on {board}, not {1 << 30}"
    ):
        make_bitstream(load("tiny"), BOARDS[board], memory_bytes=1 << 30)


def test_unknown_board():
    with pytest.raises(UserError, match="BOARD: must be one of ulx3s, orangecrab, .*not 'arty'"):
        board_named("arty")
