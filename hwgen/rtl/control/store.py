"""The store unit."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ...config import Config
from ..commands import instruction_layout
from .beats import WordsToBeats, row_of_words
from .fifo import StreamFIFO
from .ports import activation_address
from .rows import RowWalker
from .splitter import request
from .write_master import write_beat

__all__ = ["StoreUnit"]


class StoreUnit(wiring.Component):
    """Runs STORE: reads words of the activation buffer, and writes them to memory.

    One command at a time; it is done when memory has answered all its writes. A command with a
    misaligned address is never done.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    command : In(stream of instruction_layout("STORE", config))
    done : Out(1)
    bases : In(address).array(config.control.bases)
    addresses : Out(stream), words : In(stream)
        To and from the activation buffer: one word for each address, in order.
    requests : Out(stream of request), beats : Out(stream of write_beat)
        To memory: the beats of all requests, in order.
    quiet : In(1)
        Every request so far has been answered.
    misaligned : Out(1)
        Strobe: the command's address is no multiple of a word.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "command": In(stream.Signature(instruction_layout("STORE", config))),
                "done": Out(1),
                "bases": In(config.bus.address_width).array(config.control.bases),
                "addresses": Out(stream.Signature(activation_address(config))),
                "words": In(stream.Signature(unsigned(config.vector_bits))),
                "requests": Out(stream.Signature(request(config))),
                "beats": Out(stream.Signature(write_beat(config))),
                "quiet": In(1),
                "misaligned": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.walker = walker = RowWalker(config, "STORE", words=[config.vector_bits // 8])
        m.submodules.expected = expected = StreamFIFO(
            row_of_words(config), depth=4, name="store_rows"
        )
        m.submodules.beats = beats = WordsToBeats(config)
        connect(m, flipped(self.command), walker.i)
        connect(m, expected.o, beats.rows)
        connect(m, flipped(self.words), beats.words)
        connect(m, beats.o, flipped(self.beats))
        m.d.comb += self.misaligned.eq(walker.misaligned)
        m.d.comb += [ours.eq(theirs) for ours, theirs in zip(walker.bases, self.bases, strict=True)]

        row = walker.o.payload
        left = Signal.like(row.words)  # words of the row whose addresses are still to be given
        some = Signal()  # there are any
        m.d.comb += [
            self.requests.valid.eq(walker.o.valid & expected.i.ready & ~some),
            expected.i.valid.eq(walker.o.valid & self.requests.ready & ~some),
            walker.o.ready.eq(expected.i.ready & self.requests.ready & ~some),
            self.requests.payload.address.eq(row.address),
            self.requests.payload.bytes.eq(row.bytes),
            expected.i.payload.offset.eq(row.address),
            expected.i.payload.words.eq(row.words),
            expected.i.payload.last.eq(row.last),
            self.addresses.valid.eq(some),
        ]
        with m.If(self.addresses.valid & self.addresses.ready):
            m.d.sync += [
                left.eq(left - 1),
                some.eq(left != 1),
                self.addresses.payload.eq(self.addresses.payload + 1),
            ]
        with m.If(walker.o.valid & walker.o.ready):
            m.d.sync += [
                left.eq(row.words),
                some.eq(row.words.any()),
                self.addresses.payload.eq(row.buffer),
            ]

        flushing = Signal()
        m.d.comb += self.done.eq(flushing & self.quiet)
        with m.If(beats.done):
            m.d.sync += flushing.eq(1)
        with m.Elif(self.done):
            m.d.sync += flushing.eq(0)
        return m
