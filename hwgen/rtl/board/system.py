"""An accelerator with all that it needs to be used over two wires."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from ...accelerator import Accelerator
from ...config import Config
from ..control.ports import REGISTER_ADDRESS_BITS
from .bridge import UartBridge
from .memory import BoardMemory
from .uart import UartReceiver, UartTransmitter

__all__ = ["BoardSystem"]


class BoardSystem(wiring.Component):
    """Accelerator, memory, bridge and serial port.

    Parameters
    ----------
    config : Config
        Of the accelerator.
    memory_bytes : int
        Of the memory on chip, a power of two.
    clock_hz : int
        Of the clock.
    baud : int
        Bits a second of the serial port, at most a quarter of the clock.

    Members
    -------
    rx : In(1), tx : Out(1)
        The serial port.
    """

    def __init__(self, config: Config, *, memory_bytes: int, clock_hz: int, baud: int):
        self._config = config
        self._memory_bytes = memory_bytes
        self._clock_hz = clock_hz
        self._divisor = round(clock_hz / baud)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        bus = self._config.bus
        m.submodules.accelerator = accelerator = Accelerator(self._config)
        m.submodules.memory = memory = BoardMemory(
            size=self._memory_bytes,
            address_width=bus.address_width,
            data_width=bus.data_width,
        )
        m.submodules.bridge = bridge = UartBridge(
            memory_bytes=self._memory_bytes,
            clock_hz=self._clock_hz,
            register_bits=REGISTER_ADDRESS_BITS,
        )
        m.submodules.receiver = receiver = UartReceiver(divisor=self._divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=self._divisor)
        connect(m, accelerator.m_axi, memory.axi)
        connect(m, bridge.registers, accelerator.s_axi)
        connect(m, bridge.memory, memory.request)
        connect(m, receiver.o, bridge.i)
        connect(m, bridge.o, transmitter.i)
        m.d.comb += [
            bridge.row.eq(memory.row),
            bridge.irq.eq(accelerator.irq),
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
        ]
        return m
