"""A serial port: 8 bits, no parity, one stop bit."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["UartReceiver", "UartTransmitter"]


def _check(divisor: int) -> None:
    if not isinstance(divisor, int) or divisor < 4:
        raise ValueError(f"divisor must be an integer of at least 4, not {divisor!r}")


class UartReceiver(wiring.Component):
    """Bytes from a line. A byte without a stop bit is lost, and so is one that nobody takes.

    Parameters
    ----------
    divisor : int
        Cycles of a bit.

    Members
    -------
    rx : In(1)
        The line, of any clock.
    o : Out(stream(8, always_ready))
        A byte, in the middle of its stop bit.

    Raises
    ------
    ValueError
        If ``divisor`` is below 4.
    """

    def __init__(self, *, divisor: int):
        _check(divisor)
        self._divisor = divisor
        super().__init__({"rx": In(1, init=1), "o": Out(stream.Signature(8, always_ready=True))})

    def elaborate(self, platform):
        m = Module()
        synchronizer = Signal(3, init=0b111)
        line = synchronizer[-1]
        m.d.sync += synchronizer.eq(Cat(self.rx, synchronizer))
        left = Signal(range(self._divisor))  # cycles to the middle of the next bit
        bits = Signal(range(9))
        m.d.comb += self.o.valid.eq(0)
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.FSM(name="state"):
            with m.State("idle"):
                m.d.sync += left.eq(self._divisor // 2)
                with m.If(~line):
                    m.next = "start"
            with m.State("start"):
                m.d.sync += bits.eq(0)
                with m.If(left == 0):
                    m.d.sync += left.eq(self._divisor - 1)
                    m.next = "idle"  # it was a spike
                    with m.If(~line):
                        m.next = "data"
            with m.State("data"):
                with m.If(left == 0):
                    m.d.sync += [
                        left.eq(self._divisor - 1),
                        bits.eq(bits + 1),
                        self.o.payload.eq(Cat(self.o.payload[1:], line)),
                    ]
                    with m.If(bits == 7):
                        m.next = "stop"
            with m.State("stop"):
                with m.If(left == 0):
                    m.d.comb += self.o.valid.eq(line)
                    m.next = "rest"
            with m.State("rest"):  # a line that stays low is no start
                with m.If(line):
                    m.next = "idle"
        return m


class UartTransmitter(wiring.Component):
    """Bytes onto a line.

    Parameters
    ----------
    divisor : int
        Cycles of a bit.

    Members
    -------
    i : In(stream(8))
        Bytes.
    tx : Out(1)
        The line, high when idle.

    Raises
    ------
    ValueError
        If ``divisor`` is below 4.
    """

    def __init__(self, *, divisor: int):
        _check(divisor)
        self._divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        shifter = Signal(9, init=0x1FF)  # the bits after this one, then stop bits
        bits = Signal(range(11))
        left = Signal(range(self._divisor))
        m.d.comb += self.i.ready.eq((bits == 0) & (left == 0))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                self.tx.eq(0),
                shifter.eq(Cat(self.i.payload, 1)),
                bits.eq(9),
                left.eq(self._divisor - 1),
            ]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.Elif(bits != 0):
            m.d.sync += [
                self.tx.eq(shifter[0]),
                shifter.eq(Cat(shifter[1:], 1)),
                bits.eq(bits - 1),
                left.eq(self._divisor - 1),
            ]
        return m
