"""An accelerator, its clock, its memory and the driver that real software uses."""

import os

from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles, First, RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from hwgen.config import Config
from hwgen.driver import Driver

from .memory import Memory, pauses

__all__ = ["CONFIG_VARIABLE", "Bench", "Transport", "configuration", "software"]

CONFIG_VARIABLE = "HWGEN_SIM_CONFIG"
"""In the environment of a simulation: the configuration, as JSON."""

MEMORY_BYTES = 1 << 20
REGISTER_TIMEOUT_US = (
    20  # of simulated time, 2000 cycles: a register that does not answer is a failure
)

software = bridge
"""Turns a function that uses a `Driver` into one a cocotb test can await."""


def configuration() -> Config:
    """What the Verilog under test was generated from."""
    return Config.model_validate_json(os.environ[CONFIG_VARIABLE])


class Transport:
    """The transport of :class:`hwgen.driver.Driver`, for functions that run under `software`."""

    def __init__(self, dut, memory: Memory, master: AxiLiteMaster):
        self._dut, self._memory, self._master = dut, memory, master

    @resume
    async def write_register(self, address: int, value: int) -> None:
        """AXI4-Lite write."""
        await with_timeout(self._master.write_dword(address, value), REGISTER_TIMEOUT_US, "us")

    @resume
    async def read_register(self, address: int) -> int:
        """AXI4-Lite read."""
        return await with_timeout(self._master.read_dword(address), REGISTER_TIMEOUT_US, "us")

    def write_memory(self, address: int, data: bytes) -> None:
        """Put bytes into the memory, in no time."""
        self._memory.write(address, data)

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of the memory."""
        return bytes(self._memory.read(address, size))

    @resume
    async def wait(self, cycles: int) -> bool:
        """Wait for the interrupt; False if it has not come within ``cycles``."""
        if not int(self._dut.irq.value):
            await First(RisingEdge(self._dut.irq), ClockCycles(self._dut.clk, cycles))
        return bool(int(self._dut.irq.value))


class Bench:
    """What every test starts with; ``await Bench.start(dut)``.

    Members
    -------
    memory : Memory
        Behind ``m_axi``.
    master : AxiLiteMaster
        In front of ``s_axi``.
    transport : Transport
        For a `Driver`.
    """

    def __init__(self, dut):
        self.dut = dut
        self.config = configuration()
        self.memory = Memory(dut, MEMORY_BYTES)
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)
        self.transport = Transport(dut, self.memory, self.master)

    @classmethod
    async def start(cls, dut, *, idle: float = 0.0, backpressure: float = 0.0, seed: int = 1):
        """Clock, reset and models; the tests of a module share one simulation, so all of it is new.

        Parameters
        ----------
        idle
            Probability of a pause in a cycle of a channel on which the bench sends.
        backpressure
            The same where the accelerator sends and the bench receives.
        """
        dut.rst.value = 1
        Clock(dut.clk, 10, unit="ns").start()
        bench = cls(dut)
        await ClockCycles(dut.clk, 5)
        dut.rst.value = 0
        await ClockCycles(dut.clk, 2)
        bench.disturb(idle=idle, backpressure=backpressure, seed=seed)
        return bench

    def disturb(self, *, idle: float, backpressure: float, seed: int) -> None:
        """Let the channels of both buses pause at random."""
        write, read = self.master.write_if, self.master.read_if
        sources = [self.memory.channel("r"), self.memory.channel("b")]
        sources += [write.aw_channel, write.w_channel, read.ar_channel]
        sinks = [self.memory.channel(name) for name in ("ar", "aw", "w")]
        sinks += [write.b_channel, read.r_channel]
        for probability, channels in ((idle, sources), (backpressure, sinks)):
            for number, channel in enumerate(channels):
                if probability:
                    channel.set_pause_generator(pauses(seed * 16 + number, probability))

    def driver(self) -> Driver:
        """The driver; only for functions that run under `software`."""
        return Driver(self.transport, self.config)

    async def cycles(self, count: int) -> None:
        """Let time pass."""
        await ClockCycles(self.dut.clk, count)

    @property
    def irq(self) -> bool:
        """Level of the interrupt."""
        return bool(int(self.dut.irq.value))
