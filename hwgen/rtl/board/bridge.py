"""Requests over a serial line become accesses to registers and to memory."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ...uart import IDENTIFICATION, INTERRUPT, PAYLOAD_WORDS, Operation, Status
from ..axi import OKAY, AXI4LiteSignature
from .frames import FrameReceiver, FrameSender

__all__ = ["UartBridge", "memory_request"]

WORD_BYTES = 4


def memory_request(words: int) -> data.StructLayout:
    """Access to a word of 32 bits of a memory of so many words."""
    return data.StructLayout({"address": range(words), "write": 1, "data": 32})


class UartBridge(wiring.Component):
    """Carries out the requests of docs/uart.md, one after the other.

    Parameters
    ----------
    memory_bytes : int
        Of the memory.
    clock_hz : int
        What HELLO tells of the clock.
    register_bits : int
        Of the address of a register.

    Members
    -------
    i : In(stream(8, always_ready)), o : Out(stream(8))
        Bytes from and to the line.
    registers : Out(AXI4-Lite)
        The registers of the accelerator.
    memory : Out(stream(memory_request)), row : In(32)
        The memory; ``row`` is the word at an address the cycle after it has been accepted.
    irq : In(1)
        Level of the interrupt.
    """

    def __init__(self, *, memory_bytes: int, clock_hz: int, register_bits: int):
        self._memory_bytes = memory_bytes
        self._clock_hz = clock_hz
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "o": Out(stream.Signature(8)),
                "registers": Out(AXI4LiteSignature(address_width=register_bits)),
                "memory": Out(stream.Signature(memory_request(memory_bytes // WORD_BYTES))),
                "row": In(32),
                "irq": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = FrameReceiver()
        m.submodules.sender = sender = FrameSender()
        connect(m, flipped(self.i), receiver.i)
        connect(m, sender.o, flipped(self.o))
        wanted = receiver.o.payload
        status = Signal(Status)
        word = Signal(32)  # on its way to or from a bus
        place = Signal(range(PAYLOAD_WORDS + 1))  # of the word in the payload
        words = Signal.like(place)  # that the answer carries
        byte = Signal(2)
        # A number that was the last one, too, belongs to a request that has been carried out.
        last_number, numbered = Signal(8), Signal()
        address = wanted.address // WORD_BYTES + place
        self._drive_buses(m, wanted, address, word)
        m.d.comb += receiver.word.eq(place)
        hello = Array([IDENTIFICATION, self._memory_bytes, self._clock_hz, PAYLOAD_WORDS])

        def answer(code, count=0):
            m.d.sync += [status.eq(code), words.eq(count), place.eq(0)]
            m.next = "number"

        def reply(value, last):
            m.d.comb += [
                sender.i.valid.eq(1),
                sender.i.payload.byte.eq(value),
                sender.i.payload.last.eq(last),
            ]

        with m.FSM(name="state"):
            with m.State("idle"):
                m.d.sync += [place.eq(0), byte.eq(0)]
                with m.If(receiver.o.valid):
                    m.next = "decode"
            with m.State("decode"):
                self._decode(
                    m, receiver, answer, repeated=numbered & (wanted.number == last_number)
                )
            self._register_states(m, answer, word, receiver.row)
            with m.State("fetch payload"):
                m.next = "take payload"
            with m.State("take payload"):
                m.d.sync += word.eq(receiver.row)
                m.next = "write memory"
            with m.State("write memory"):
                m.d.comb += [self.memory.valid.eq(1), self.memory.payload.write.eq(1)]
                with m.If(self.memory.ready):
                    m.d.sync += place.eq(place + 1)
                    m.next = "fetch payload"
                    with m.If(place + 1 == wanted.bytes // WORD_BYTES):
                        answer(Status.OK)
            with m.State("number"):
                reply(wanted.number, last=0)
                with m.If(sender.i.ready):
                    m.next = "status"
            with m.State("status"):
                reply(status | Mux(self.irq, INTERRUPT, 0), last=words == 0)
                with m.If(sender.i.ready):
                    m.next = "word"
                    with m.If(words == 0):
                        m.next = "done"
            with m.State("word"):
                m.next = "bytes"
                with m.If(wanted.operation == Operation.HELLO):
                    m.d.sync += word.eq(hello[place[:2]])
                with m.If(wanted.operation == Operation.READ_MEMORY):
                    m.next = "word"
                    m.d.comb += self.memory.valid.eq(1)
                    with m.If(self.memory.ready):
                        m.next = "row"
            with m.State("row"):
                m.d.sync += word.eq(self.row)
                m.next = "bytes"
            with m.State("bytes"):
                end = place + 1 == words
                reply(word[:8], last=end & (byte == WORD_BYTES - 1))
                with m.If(sender.i.ready):
                    m.d.sync += [byte.eq(byte + 1), word.eq(word >> 8)]
                    with m.If(byte == WORD_BYTES - 1):
                        m.d.sync += place.eq(place + 1)
                        m.next = "word"
                        with m.If(end):
                            m.next = "done"
            with m.State("done"):
                m.d.comb += receiver.o.ready.eq(1)
                m.d.sync += [last_number.eq(wanted.number), numbered.eq(1)]
                m.next = "idle"
        return m

    def _drive_buses(self, m, wanted, address, word):
        """What of the buses does not depend on the state."""
        m.d.comb += [
            self.memory.payload.address.eq(address),
            self.memory.payload.data.eq(word),
            self.registers.awaddr.eq(wanted.address),
            self.registers.araddr.eq(wanted.address),
            self.registers.wdata.eq(word),
            self.registers.wstrb.eq(0b1111),
        ]

    def _decode(self, m, receiver, answer, repeated):
        """What to do, or why not."""
        wanted = receiver.o.payload
        aligned = wanted.address[:2] == 0
        words = Mux(wanted.operation == Operation.READ_MEMORY, receiver.row[:8], wanted.bytes[2:])
        counted = Mux(
            wanted.operation == Operation.READ_MEMORY, wanted.bytes == 1, wanted.bytes[:2] == 0
        )
        end = wanted.address + (words << 2)
        inside = aligned & counted & (words != 0) & (words <= PAYLOAD_WORDS)
        inside &= end <= self._memory_bytes
        register = aligned & (wanted.address >> len(self.registers.awaddr) == 0)
        with m.Switch(wanted.operation):
            with m.Case(Operation.HELLO):
                answer(Status.OK, 4)
            with m.Case(Operation.READ_REGISTER):
                with m.If(register & (wanted.bytes == 0)):
                    m.next = "read register"
                with m.Else():
                    answer(Status.OUT_OF_RANGE)
            with m.Case(Operation.WRITE_REGISTER):
                with m.If(~register | (wanted.bytes != WORD_BYTES)):
                    answer(Status.OUT_OF_RANGE)
                with m.Elif(repeated):
                    answer(Status.OK)
                with m.Else():
                    m.next = "take register"
            with m.Case(Operation.READ_MEMORY):
                with m.If(inside):
                    answer(Status.OK, words)
                with m.Else():
                    answer(Status.OUT_OF_RANGE)
            with m.Case(Operation.WRITE_MEMORY):
                with m.If(inside):
                    m.next = "fetch payload"
                with m.Else():
                    answer(Status.OUT_OF_RANGE)
            with m.Default():
                answer(Status.UNKNOWN_OPERATION)

    def _register_states(self, m, answer, word, row):
        """AXI4-Lite: an access at a time."""
        bus = self.registers
        addressed, written = Signal(), Signal()
        with m.State("take register"):
            m.d.sync += [addressed.eq(0), written.eq(0), word.eq(row)]
            m.next = "write register"
        with m.State("write register"):
            m.d.comb += [bus.awvalid.eq(~addressed), bus.wvalid.eq(~written)]
            m.d.sync += [addressed.eq(addressed | bus.awready), written.eq(written | bus.wready)]
            with m.If((addressed | bus.awready) & (written | bus.wready)):
                m.next = "written register"
        with m.State("written register"):
            m.d.comb += bus.bready.eq(1)
            with m.If(bus.bvalid):
                answer(Mux(bus.bresp == OKAY, Status.OK, Status.BUS_ERROR))
        with m.State("read register"):
            m.d.comb += bus.arvalid.eq(1)
            with m.If(bus.arready):
                m.next = "register read"
        with m.State("register read"):
            m.d.comb += bus.rready.eq(1)
            with m.If(bus.rvalid):
                m.d.sync += word.eq(bus.rdata)
                with m.If(bus.rresp == OKAY):
                    answer(Status.OK, 1)
                with m.Else():
                    answer(Status.BUS_ERROR)
