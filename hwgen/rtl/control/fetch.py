"""Instructions from memory."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ...config import Config
from ...isa.instructions import INSTRUCTION_BITS
from ...isa.registers import number_bits
from .fifo import StreamFIFO
from .splitter import request

__all__ = ["Fetch", "fetched"]

INSTRUCTION_BYTES = INSTRUCTION_BITS // 8


def fetched(config: Config) -> data.StructLayout:
    """An instruction, and its number in the program."""
    return data.StructLayout({"word": INSTRUCTION_BITS, "index": number_bits(config)})


class Fetch(wiring.Component):
    """Reads a program, instruction after instruction; asks only for what it has room for:
    ``config.control.prefetch`` instructions.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    start : In(1)
        Strobe: begin a program. Only when ``idle``.
    address, length : In
        Of the program: its first byte, and its instructions. Stable from ``start`` to ``stop``.
    stop : In(1)
        Ask for no more, until the next start.
    requests : Out(stream of request), beats : In(stream)
        To and from memory.
    o : Out(stream of fetched)
    idle : Out(1)
        Nothing has been asked for that has not left.
    exhausted : Out(1)
        The program's last instruction has left.
    misaligned : Out(1)
        Strobe in the cycle after ``start``: the program's address is no multiple of an
        instruction; it is not begun.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "address": In(config.bus.address_width),
                "length": In(number_bits(config)),
                "stop": In(1),
                "requests": Out(stream.Signature(request(config))),
                "beats": In(stream.Signature(unsigned(config.bus.data_width))),
                "o": Out(stream.Signature(fetched(config))),
                "idle": Out(1),
                "exhausted": Out(1),
                "misaligned": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        running = Signal()
        at = Signal.like(self.address)
        unasked = Signal.like(self.length)  # instructions still to be asked for
        left = Signal.like(self.length)  # instructions that have left
        most = self._config.control.prefetch
        room = Signal(range(most + 1), init=most)
        asking, leaving = Signal(), Signal()
        m.d.comb += [
            self.requests.valid.eq(running & ~self.stop & (unasked != 0) & (room != 0)),
            self.requests.payload.address.eq(at),
            self.requests.payload.bytes.eq(INSTRUCTION_BYTES),
            asking.eq(self.requests.valid & self.requests.ready),
            leaving.eq(self.o.valid & self.o.ready),
            self.o.payload.index.eq(left),
            self.idle.eq(room == most),
            self.exhausted.eq(running & (left == self.length)),
        ]
        m.d.sync += [
            room.eq(room - asking + leaving),
        ]
        with m.If(asking):
            m.d.sync += [unasked.eq(unasked - 1), at.eq(at + INSTRUCTION_BYTES)]
        with m.If(leaving):
            m.d.sync += left.eq(left + 1)
        misaligned = self.address[: exact_log2(INSTRUCTION_BYTES)].any()
        m.d.sync += self.misaligned.eq(self.start & misaligned)
        with m.If(self.stop):
            m.d.sync += running.eq(0)
        with m.If(self.start):
            m.d.sync += [running.eq(~misaligned), at.eq(self.address), left.eq(0)]
            m.d.sync += unasked.eq(self.length)
        self._assemble(m)
        return m

    def _assemble(self, m):
        """One instruction is in registers for the decoder; beats of others wait in a memory."""
        beat_bits = self._config.bus.data_width
        beats = INSTRUCTION_BITS // beat_bits
        source = self.beats
        if self._config.control.prefetch > 1:
            m.submodules.prefetched = prefetched = StreamFIFO(
                unsigned(beat_bits),
                depth=self._config.control.prefetch * beats,
                name="prefetched",
            )
            wiring.connect(m, wiring.flipped(self.beats), prefetched.i)
            source = prefetched.o
        word = Signal(INSTRUCTION_BITS, reset_less=True)
        parts = Signal(range(beats + 1))
        full = Signal()
        m.d.comb += [
            full.eq(parts == beats),
            self.o.valid.eq(full),
            self.o.payload.word.eq(word),
            source.ready.eq(~full),
        ]
        with m.If(full & self.o.ready):
            m.d.sync += parts.eq(0)
        with m.Elif(~full & source.valid):
            m.d.sync += [
                parts.eq(parts + 1),
                word.eq(Cat(word, source.payload)[beat_bits:]),
            ]
