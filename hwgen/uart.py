"""The protocol of the UART bridge (docs/uart.md), and the transport of the driver that speaks it.

The hardware in :mod:`hwgen.rtl.board` is built from the constants here.
"""

import enum
import secrets
import time
from binascii import crc_hqx
from collections.abc import Callable
from typing import Protocol

from .errors import UserError

__all__ = [
    "CRC_BYTES",
    "CRC_START",
    "END",
    "ESCAPE",
    "ESCAPED_END",
    "ESCAPED_ESCAPE",
    "HEADER_BYTES",
    "IDENTIFICATION",
    "INTERRUPT",
    "PAYLOAD_WORDS",
    "Operation",
    "Port",
    "Status",
    "UartError",
    "UartTransport",
    "frame",
    "unframe",
]

END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE = 0xC0, 0xDB, 0xDC, 0xDD
"""Framing of RFC 1055: END around each frame, two bytes for an END or ESCAPE within."""

CRC_START = 0xFFFF
"""CRC-16/IBM-3740: polynomial 0x1021, not reflected, high byte sent first."""

IDENTIFICATION = 0x31475748  # "HWG1"
PAYLOAD_WORDS = 16  # of a frame at most

HEADER_BYTES, CRC_BYTES = 6, 2  # number, operation, address; checksum


class Operation(enum.IntEnum):
    """What a request asks for."""

    HELLO = 0
    READ_REGISTER = 1
    WRITE_REGISTER = 2
    READ_MEMORY = 3
    WRITE_MEMORY = 4


class Status(enum.IntEnum):
    """How a request went: the low bits of the status byte."""

    OK = 0
    BUS_ERROR = 1
    UNKNOWN_OPERATION = 2
    OUT_OF_RANGE = 3


INTERRUPT = 0x80
"""Bit of the status byte: the level of the accelerator's interrupt."""


class UartError(UserError):
    """The board does not answer as it should; the message says what it did."""


class Port(Protocol):
    """A serial port, as of pyserial with a time-out."""

    def write(self, data: bytes) -> object:
        """Send bytes."""

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; fewer, perhaps none, when the time is out."""


def frame(content: bytes) -> bytes:
    """Content with its checksum, escaped, between two ENDs."""
    whole = content + crc_hqx(content, CRC_START).to_bytes(CRC_BYTES, "big")
    escaped = whole.replace(bytes([ESCAPE]), bytes([ESCAPE, ESCAPED_ESCAPE]))
    escaped = escaped.replace(bytes([END]), bytes([ESCAPE, ESCAPED_END]))
    return bytes([END]) + escaped + bytes([END])


def unframe(received: bytes) -> bytes | None:
    """The content of what came between two ENDs; None if its checksum or an escape is wrong."""
    whole, escaped = bytearray(), False
    for byte in received:
        if escaped:
            if byte not in (ESCAPED_END, ESCAPED_ESCAPE):
                return None
            whole.append(END if byte == ESCAPED_END else ESCAPE)
            escaped = False
        elif byte == ESCAPE:
            escaped = True
        else:
            whole.append(byte)
    if escaped or len(whole) < CRC_BYTES or crc_hqx(bytes(whole), CRC_START):
        return None
    return bytes(whole[:-CRC_BYTES])


class UartTransport:
    """The transport of :class:`hwgen.driver.Driver` over a serial port.

    A request that gets no good answer is sent again, under the same number; the bridge does not
    carry out a write to a register twice.

    Parameters
    ----------
    port : Port
        Where the board is.
    attempts : int
        How often a request is sent before the board counts as dead.
    clock
        Seconds that pass, for :meth:`wait`.

    Members
    -------
    clock_hz : int
        Of the accelerator on the board.
    memory_bytes : int
        Of its memory.
    repeated : int
        Requests that had to be sent again.

    Raises
    ------
    UartError
        If nothing answers, or something else does.
    """

    def __init__(
        self, port: Port, *, attempts: int = 16, clock: Callable[[], float] = time.monotonic
    ):
        self._port, self._attempts, self._clock = port, attempts, clock
        self._number = secrets.randbelow(256)
        self._status = 0
        self.repeated = 0
        answer = self._exchange(Operation.HELLO, 0, b"", 16)
        words = [int.from_bytes(answer[n : n + 4], "little") for n in range(0, 16, 4)]
        if words[0] != IDENTIFICATION:
            raise UartError(f"there is no hwgen board: it says {words[0]:#010x}")
        self.memory_bytes, self.clock_hz, self._words = words[1:]

    @classmethod
    def open(cls, device: str, *, baud: int = 115_200) -> "UartTransport":
        """Of a serial device, such as /dev/ttyUSB0; needs pyserial."""
        try:
            import serial
        except ModuleNotFoundError:
            raise UserError("serial: not installed; pip install pyserial") from None
        try:
            return cls(serial.Serial(device, baud, timeout=0.2))
        except serial.SerialException as error:
            raise UserError(f"PORT: {device} cannot be opened ({error})") from None

    def write_register(self, address: int, value: int) -> None:
        """Write a 32-bit register."""
        self._exchange(Operation.WRITE_REGISTER, address, value.to_bytes(4, "little"), 0)

    def read_register(self, address: int) -> int:
        """Read a 32-bit register."""
        return int.from_bytes(self._exchange(Operation.READ_REGISTER, address, b"", 4), "little")

    def write_memory(self, address: int, data: bytes) -> None:
        """Fill the memory; at its edges whole words are read first."""
        start, end = address & ~3, (address + len(data) + 3) & ~3
        before = self.read_memory(start, address - start)
        after = self.read_memory(address + len(data), end - address - len(data))
        whole, size = before + data + after, 4 * self._words
        for offset in range(0, len(whole), size):
            part = whole[offset : offset + size]
            self._exchange(Operation.WRITE_MEMORY, start + offset, part, 0)

    def read_memory(self, address: int, size: int) -> bytes:
        """Read the memory."""
        start, end, found = address & ~3, (address + size + 3) & ~3, b""
        if not size:
            return b""
        for place in range(start, end, 4 * self._words):
            words = min(self._words, (end - place) // 4)
            found += self._exchange(Operation.READ_MEMORY, place, bytes([words]), 4 * words)
        return found[address - start : address - start + size]

    def wait(self, cycles: int) -> bool:
        """Ask for the interrupt until it has come, for about so many cycles."""
        until = self._clock() + cycles / self.clock_hz
        while True:
            self._exchange(Operation.HELLO, 0, b"", 16)
            if self._status & INTERRUPT or self._clock() > until:
                return bool(self._status & INTERRUPT)

    def _exchange(self, operation: Operation, address: int, payload: bytes, size: int) -> bytes:
        """Send a request until it is answered; ``size`` bytes of payload are expected."""
        self._number = (self._number + 1) & 0xFF
        header = bytes([self._number, operation]) + address.to_bytes(4, "little")
        refused = None
        for attempt in range(self._attempts):
            self.repeated += attempt > 0
            self._port.write(frame(header + payload))
            answer = self._answer()
            if answer is None:
                continue
            self._status = answer[1]
            status = Status(answer[1] & ~INTERRUPT)
            if status not in (Status.OK, refused):
                # One of 65,536 spoiled frames passes the checksum: believed if it comes again.
                refused = status
                continue
            if status != Status.OK:
                said = status.name.lower().replace("_", " ")
                raise UartError(f"the board refuses {operation.name} at {address:#x}: {said}")
            if len(answer) == 2 + size:
                return answer[2:]
        raise UartError(
            f"the board does not answer: {operation.name} was sent {self._attempts} times"
        )

    def _answer(self) -> bytes | None:
        """The answer to this request, whatever else lies before it; None when the time is out."""
        received = bytearray()
        while byte := self._port.read(1):
            if byte[0] != END:
                received += byte
                continue
            content = unframe(bytes(received))
            received.clear()
            if content is not None and len(content) >= 2 and content[0] == self._number:
                return content
        return None
