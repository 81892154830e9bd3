"""Runs the cocotb tests of a board on its Verilog, and the transport without a board."""

from binascii import crc_hqx

import pytest

from hwgen.config import load
from hwgen.errors import UserError
from hwgen.flows.bitstream import system_verilog
from hwgen.uart import CRC_START, END, ESCAPE, Operation, UartTransport, frame, unframe
from sim.runner import run
from sim.uart import BAUD, CLOCK_HZ, MEMORY_BYTES


@pytest.mark.parametrize(("name", "tests", "count"), [("tiny", None, 5), ("micro", "network.*", 2)])
def test_board(name, tests, count, tmp_path):
    config, top = load(name), f"{name}_system"
    verilog = system_verilog(config, top, memory_bytes=MEMORY_BYTES, clock_hz=CLOCK_HZ, baud=BAUD)
    passed = run("verilator", verilog, top, "sim.uart", tmp_path, config=config, tests=tests)
    assert passed == count


def test_frames():
    """The checksum of the standard's own example, escapes, and what is spoiled."""
    assert crc_hqx(b"123456789", CRC_START) == 0x29B1
    assert frame(b"123456789") == b"\xc0123456789\x29\xb1\xc0"
    content = bytes([END, ESCAPE, 1, 0xDC, 0xDD])
    framed = frame(content)
    assert framed.count(END) == 2 and unframe(framed[1:-1]) == content
    for n in range(1, len(framed) - 1):
        for bit in range(8):
            spoiled = framed[1:n] + bytes([framed[n] ^ 1 << bit]) + framed[n + 1 : -1]
            assert unframe(spoiled) is None


class Dead:
    """A port on which nothing or nonsense comes back."""

    def __init__(self, answer: bytes = b""):
        self._answer, self._left = answer, b""

    def write(self, data: bytes) -> None:
        self._left = self._answer

    def read(self, size: int) -> bytes:
        found, self._left = self._left[:size], self._left[size:]
        return found


@pytest.mark.parametrize("answer", [b"", b"noise", frame(b"other number"), b"\xc0\xc0"])
def test_nobody_answers(answer):
    with pytest.raises(UserError, match="does not answer: HELLO was sent 3 times"):
        UartTransport(Dead(answer), attempts=3)


def test_operations_are_the_documented_ones():
    assert [operation.name for operation in Operation] == [
        "HELLO",
        "READ_REGISTER",
        "WRITE_REGISTER",
        "READ_MEMORY",
        "WRITE_MEMORY",
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"baud": CLOCK_HZ}, "BAUD: must be at most 25000000 at 100000000 Hz"),
        ({"memory_bytes": 3000}, "MEMORY: must be a power of two of at least 1024, not 3000"),
    ],
)
def test_what_cannot_be_built(fields, message):
    wanted = {"memory_bytes": MEMORY_BYTES, "clock_hz": CLOCK_HZ, "baud": BAUD, **fields}
    with pytest.raises(UserError, match=message):
        system_verilog(load("tiny"), "tiny_system", **wanted)
