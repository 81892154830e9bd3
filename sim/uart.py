"""cocotb tests of a board: everything goes through its two pins."""

import random
from collections import deque

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import resume
from cocotb.triggers import ClockCycles, Event, FallingEdge, First, ReadOnly, Timer
from cocotb.utils import get_sim_time

from hwgen.compiler.network import compile_network
from hwgen.driver import Driver
from hwgen.uart import END, Operation, Status, UartError, UartTransport, frame

from .bench import configuration, software
from .networks import example, expected, image_of

CLOCK_HZ, BAUD = 100_000_000, 12_500_000
MEMORY_BYTES = 1 << 15
PERIOD_NS = 10
BIT_NS = PERIOD_NS * CLOCK_HZ // BAUD
ANSWER_NS = 40 * 10 * BIT_NS  # how long a transport waits for the next byte


class Line:
    """A serial port on the pins of a board; some bytes are spoiled on the way, in both directions.

    Parameters
    ----------
    noise
        Probability that a byte is spoiled: a bit of it flips, it is lost, or another comes first.
    """

    def __init__(self, dut, *, noise: float = 0.0, seed: int = 0):
        self._dut, self._noise, self._random = dut, noise, random.Random(seed)
        self._received, self._arrived = deque(), Event()
        self.spoiled = 0
        dut.rx.value = 1
        cocotb.start_soon(self._receive())

    @resume
    async def write(self, data: bytes) -> None:
        """Bytes onto the pin ``rx``."""
        for byte in data:
            for sent in self._spoil(byte):
                await self._send(sent)

    @resume
    async def read(self, size: int) -> bytes:
        """Bytes from the pin ``tx``; fewer if none comes for a while."""
        found = bytearray()
        while len(found) < size:
            if not self._received:
                self._arrived.clear()
                await First(self._arrived.wait(), Timer(ANSWER_NS, "ns"))
                if not self._received:
                    break
            found.append(self._received.popleft())
        return bytes(found)

    def _spoil(self, byte: int) -> list[int]:
        if self._random.random() >= self._noise:
            return [byte]
        self.spoiled += 1
        kind = self._random.randrange(4)
        other = self._random.choice([END, self._random.randrange(256)])
        return [[byte ^ 1 << self._random.randrange(8)], [], [other, byte], [other]][kind]

    async def _send(self, byte: int) -> None:
        for level in (0, *(byte >> n & 1 for n in range(8)), 1):
            self._dut.rx.value = level
            await Timer(BIT_NS, "ns")

    async def _receive(self) -> None:
        while True:
            await FallingEdge(self._dut.tx)
            await Timer(BIT_NS // 2, "ns")
            byte = 0
            for n in range(8):
                await Timer(BIT_NS, "ns")
                await ReadOnly()
                byte |= int(self._dut.tx.value) << n
            await Timer(BIT_NS, "ns")
            assert int(self._dut.tx.value), "no stop bit"
            self._received.extend(self._spoil(byte))
            self._arrived.set()


async def start(dut, **line) -> Line:
    """Clock, reset, line."""
    dut.rst.value = 1
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    port = Line(dut, **line)
    await ClockCycles(dut.clk, 5)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 5)
    return port


def transport_of(port: Line) -> UartTransport:
    """The transport; only for functions that run under `software`."""
    return UartTransport(port, clock=lambda: get_sim_time("ns") / 1e9)


@cocotb.test
@cocotb.parametrize(noise=[0.0, 0.01])
async def network_over_the_pins(dut, noise):
    """A network is loaded, an image is classified, whatever happens to single bytes."""
    port = await start(dut, noise=noise, seed=7)
    config = configuration()
    network = example(gated=config.array.gated, plain=not config.drain.pool)
    compiled = compile_network(network, config)

    @software
    def run():
        transport = transport_of(port)
        assert (transport.memory_bytes, transport.clock_hz) == (MEMORY_BYTES, CLOCK_HZ)
        session = Driver(transport, config).load(compiled, MEMORY_BYTES)
        image = image_of(network)
        got = session.run(image, cycles=200_000)
        want = expected(network, image)["classifier"]
        np.testing.assert_array_equal(got.reshape(want.shape), want)
        assert got.argmax() == want.argmax()
        return transport

    transport = await run()
    assert (port.spoiled > 20) == (transport.repeated > 10) == bool(noise)


@cocotb.test
async def memory_by_bytes(dut):
    """Every alignment and length, also across frames; what lies beside stays as it was."""
    port = await start(dut)
    rng = random.Random(3)

    @software
    def run():
        transport = transport_of(port)
        shadow = bytearray(rng.randbytes(256))
        transport.write_memory(0x100, bytes(shadow))
        for _ in range(12):
            offset = rng.randrange(200)
            part = rng.randbytes(rng.choice([1, 2, 3, 5, rng.randrange(1, 256 - offset)]))
            part = part[: 256 - offset]
            transport.write_memory(0x100 + offset, part)
            shadow[offset : offset + len(part)] = part
        assert transport.read_memory(0x100, 256) == shadow
        assert transport.read_memory(0x133, 77) == shadow[0x33 : 0x33 + 77]
        assert transport.repeated == 0

    await run()


@cocotb.test
async def wrong_requests(dut):
    """What cannot be done is refused by name; what is no frame is not answered."""
    port = await start(dut)

    @software
    def run():
        transport = transport_of(port)
        word = bytes(4)
        for operation, address, payload in (
            (Operation.READ_MEMORY, MEMORY_BYTES, b"\x01"),
            (Operation.READ_MEMORY, MEMORY_BYTES - 4, b"\x02"),
            (Operation.READ_MEMORY, 2, b"\x01"),
            (Operation.READ_MEMORY, 0, b"\x00"),
            (Operation.READ_MEMORY, 0, b"\x11"),
            (Operation.READ_MEMORY, 0xFFFFFFFC, b"\x01"),
            (Operation.WRITE_MEMORY, MEMORY_BYTES - 4, word * 2),
            (Operation.WRITE_MEMORY, 0, b"\x01\x02\x03"),
            (Operation.WRITE_MEMORY, 0, b""),
            (Operation.READ_REGISTER, 0x1000, b""),
            (Operation.WRITE_REGISTER, 3, word),
            (Operation.WRITE_REGISTER, 0x10, b"\x01"),
        ):
            try:
                transport._exchange(operation, address, payload, 0)
            except UartError as error:
                assert "out of range" in str(error), (operation, address, error)
            else:
                raise AssertionError(f"{operation.name} at {address:#x} was carried out")
        asked_again = transport.repeated
        port.write(frame(bytes([200, 9, 0, 0, 0, 0])))
        assert port.read(6)[1:3] == bytes([200, Status.UNKNOWN_OPERATION])
        good = frame(bytes([1, Operation.HELLO, 0, 0, 0, 0]))
        too_long = frame(bytes([1, Operation.WRITE_MEMORY, 0, 0, 0, 0]) + bytes(68))
        for bad in (b"\xff\x00\xdb\x01", good[:-3] + good[-1:], too_long, good[1:4] * 60):
            port.write(bad)
            assert port.read(1) == b"", bad
        assert len(transport.read_memory(0, 4)) == 4
        assert asked_again == transport.repeated == 12  # each refusal once, and nothing else

    await run()


@cocotb.test
async def a_repeated_write_counts_once(dut):
    """A write under the number of the last request is answered, and not carried out."""
    port = await start(dut)
    config = configuration()

    @software
    def run():
        driver = Driver(transport_of(port), config)
        offset = driver._registers["PROGRAM_LOW"].offset
        content = bytes([77, Operation.WRITE_REGISTER]) + offset.to_bytes(4, "little")
        for value, seen in ((64, 64), (128, 64)):  # the same number: not carried out again
            port.write(frame(content + value.to_bytes(4, "little")))
            answer = port.read(6)
            assert answer[1:3] == bytes([77, 0]), answer
            number = bytes([77, Operation.READ_REGISTER]) + offset.to_bytes(4, "little")
            port.write(frame(number))
            assert int.from_bytes(port.read(10)[3:7], "little") == seen
        content = bytes([78]) + content[1:]
        port.write(frame(content + (128).to_bytes(4, "little")))
        assert port.read(6)[1:3] == bytes([78, 0])
        assert driver.read("PROGRAM_LOW") == 128

    await run()
