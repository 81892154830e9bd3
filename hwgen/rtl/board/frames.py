"""Frames of bytes: taken apart with their checksum checked, and put together."""

from amaranth import *
from amaranth.lib import crc, data, stream, wiring
from amaranth.lib.wiring import In, Out

from ...memory import RAM
from ...uart import (
    CRC_BYTES,
    CRC_START,
    END,
    ESCAPE,
    ESCAPED_END,
    ESCAPED_ESCAPE,
    HEADER_BYTES,
    PAYLOAD_WORDS,
)

__all__ = ["FrameReceiver", "FrameSender", "reply_byte", "request"]

request = data.StructLayout(
    {"number": 8, "operation": 8, "address": 32, "bytes": range(4 * PAYLOAD_WORDS + 1)}
)
"""The header of a request, and how many bytes of payload follow it."""

reply_byte = data.StructLayout({"byte": 8, "last": 1})


def _checksum():
    return crc.Algorithm(
        crc_width=16,
        polynomial=0x1021,
        initial_crc=CRC_START,
        reflect_input=False,
        reflect_output=False,
        xor_output=0,
    )(data_width=8).create()


class FrameReceiver(wiring.Component):
    """Requests out of bytes. What is between two ENDs and has a good checksum is a request.

    Anything else leaves no trace. A request stays until it is taken; bytes that come meanwhile are
    lost, and what begins then counts from the next END on.

    Members
    -------
    i : In(stream(8, always_ready))
        Bytes as they come.
    o : Out(stream(request))
        A request.
    word : In, row : Out(32)
        A word of its payload, the cycle after ``word`` has been given.
    """

    def __init__(self):
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "o": Out(stream.Signature(request)),
                "word": In(range(PAYLOAD_WORDS)),
                "row": Out(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows = 2 * PAYLOAD_WORDS  # the checksum lies behind the payload
        m.submodules.payload = payload = RAM(
            depth=rows, width=32, granularity=8, style="distributed", name="frame payload"
        )
        m.submodules.checksum = checksum = _checksum()
        limit = HEADER_BYTES + 4 * PAYLOAD_WORDS + CRC_BYTES
        count = Signal(range(limit + 1))  # of bytes since END
        escaped = Signal()
        good = Signal()  # no escape was wrong, and it is not too long
        fields = self.o.payload
        header = Cat(fields.number, fields.operation, fields.address)

        byte = Mux(self.i.payload == ESCAPED_END, END, ESCAPE)
        byte = Mux(escaped, byte, self.i.payload)
        is_end, is_escape = self.i.payload == END, self.i.payload == ESCAPE
        known = (self.i.payload == ESCAPED_END) | (self.i.payload == ESCAPED_ESCAPE)
        place = (count - HEADER_BYTES)[: len(payload.w_addr) + 2]
        m.d.comb += [
            checksum.data.eq(byte),
            payload.w_addr.eq(place[2:]),
            payload.w_data.eq(byte.replicate(4)),
            payload.w_mask.eq(1 << place[:2]),
            payload.r_en.eq(self.o.valid),
            payload.r_addr.eq(self.word),
            self.row.eq(payload.r_data),
        ]

        def begin():
            m.d.comb += checksum.start.eq(1)
            m.d.sync += [count.eq(0), escaped.eq(0), good.eq(1)]

        with m.FSM(name="state"):
            with m.State("hunt"):
                begin()
                with m.If(self.i.valid & is_end):
                    m.next = "frame"
            with m.State("frame"):
                with m.If(self.i.valid & is_end):
                    begin()
                    whole = count >= HEADER_BYTES + CRC_BYTES
                    with m.If(whole & good & ~escaped & checksum.match_detected):
                        m.d.sync += fields.bytes.eq(count - (HEADER_BYTES + CRC_BYTES))
                        m.next = "request"
                with m.Elif(self.i.valid & is_escape & ~escaped):
                    m.d.sync += escaped.eq(1)
                with m.Elif(self.i.valid):
                    m.d.comb += checksum.valid.eq(1)
                    m.d.sync += escaped.eq(0)
                    with m.If((escaped & ~known) | (count == limit)):
                        m.d.sync += good.eq(0)
                    with m.Elif(count < HEADER_BYTES):
                        m.d.sync += header.eq(Cat(header[8:], byte))
                    with m.Else():
                        m.d.comb += payload.w_en.eq(1)
                    with m.If(count != limit):
                        m.d.sync += count.eq(count + 1)
            with m.State("request"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "hunt"
        return m


class FrameSender(wiring.Component):
    """A frame around bytes: END, the bytes and their checksum escaped, END.

    Members
    -------
    i : In(stream(reply_byte))
        Bytes; ``last`` is with the last of a frame.
    o : Out(stream(8))
        What goes onto the line.
    """

    def __init__(self):
        super().__init__({"i": In(stream.Signature(reply_byte)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.checksum = checksum = _checksum()
        byte = Signal(8)
        escaping = Signal()  # the first byte of two is out
        special = (byte == END) | (byte == ESCAPE)
        gone = Signal()  # all of ``byte`` is out with this cycle
        escape = Mux(byte == END, ESCAPED_END, ESCAPED_ESCAPE)
        m.d.comb += checksum.data.eq(self.i.payload.byte)

        def put(then=None):
            """Offer ``byte``, escaped if need be."""
            m.d.comb += [
                self.o.payload.eq(Mux(special, Mux(escaping, escape, ESCAPE), byte)),
                gone.eq(self.o.valid & self.o.ready & (~special | escaping)),
            ]
            with m.If(self.o.valid & self.o.ready & special):
                m.d.sync += escaping.eq(~escaping)
            if then is not None:
                m.d.comb += self.o.valid.eq(1)
                with m.If(gone):
                    m.next = then

        def mark(then):
            m.d.comb += [self.o.payload.eq(END), self.o.valid.eq(1)]
            with m.If(self.o.ready):
                m.next = then

        with m.FSM(name="state"):
            with m.State("idle"):
                m.d.comb += checksum.start.eq(1)
                with m.If(self.i.valid):
                    m.next = "open"
            with m.State("open"):
                mark(then="body")
            with m.State("body"):
                m.d.comb += [
                    byte.eq(self.i.payload.byte),
                    self.o.valid.eq(self.i.valid),
                    self.i.ready.eq(gone),
                    checksum.valid.eq(gone),
                ]
                put()
                with m.If(gone & self.i.payload.last):
                    m.next = "high"
            with m.State("high"):
                m.d.comb += byte.eq(checksum.crc[8:])
                put(then="low")
            with m.State("low"):
                m.d.comb += byte.eq(checksum.crc[:8])
                put(then="close")
            with m.State("close"):
                mark(then="idle")
        return m
