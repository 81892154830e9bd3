"""The load unit."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from ...config import Config
from .. import mac
from ..commands import instruction_layout
from ..drain.records import record_write
from ..two_places import TwoPlaces
from .dense import DenseWeights, dense_units
from .fifo import StreamFIFO
from .ports import activation_write, weight_store
from .rows import RowWalker, copied
from .splitter import request
from .words import BeatsToWords, load_words, row_of_beats

__all__ = ["LoadUnit"]


class LoadUnit(wiring.Component):
    """Runs LOAD: asks for the rows of a copy, and writes what comes to a buffer.

    Rows are asked for ahead, as far as the bursts under way allow. One command at a time; it is
    done when the last word has been accepted by its buffer. A command with a misaligned address is
    never done.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    command : In(stream of instruction_layout("LOAD"))
    done : Out(1)
    bases : In(address).array(config.control.bases)
    requests : Out(stream of request), beats : In(stream)
        To and from memory: a request's beats come in order, whole, first request first.
    activation_writes, weight_writes, record_writes : Out(stream)
    misaligned : Out(1)
        Strobe: the command's address is no multiple of its word.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "command": In(stream.Signature(instruction_layout("LOAD", config))),
                "done": Out(1),
                "bases": In(config.bus.address_width).array(config.control.bases),
                "requests": Out(stream.Signature(request(config))),
                "beats": In(stream.Signature(unsigned(config.bus.data_width))),
                "activation_writes": Out(stream.Signature(activation_write(config))),
                "weight_writes": Out(stream.Signature(weight_store(config))),
                "record_writes": Out(stream.Signature(record_write(config))),
                "misaligned": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        spreads = mac.facts(config).spreads
        sizes = load_words(config) + ([config.bus.data_width // 8] if spreads else [])
        m.submodules.walker = walker = RowWalker(
            config, "LOAD", words=sizes, dense=dense_units(config) if spreads else 0
        )
        # Short rows are a burst each: as many wait for their beats as bursts may be under way.
        m.submodules.expected = expected = StreamFIFO(
            row_of_beats(config), depth=1 << ceil_log2(config.bus.outstanding + 2), name="load_rows"
        )
        m.submodules.words = words = BeatsToWords(config)
        connect(m, words.record_writes, flipped(self.record_writes))

        command = self.command.payload
        m.d.comb += [
            walker.i.valid.eq(self.command.valid),
            self.command.ready.eq(walker.i.ready),
            walker.size.eq(command["target"]),
            self.misaligned.eq(walker.misaligned),
        ]
        if spreads:
            dense = self._choose(m, walker, expected, words)
        else:
            connect(m, expected.o, words.rows)
            connect(m, flipped(self.beats), words.beats)
            connect(m, words.weight_writes, flipped(self.weight_writes))
            dense = Const(0)
        self._connect_activations(m, words, dense)
        shared = copied("LOAD", config).members
        m.d.comb += [walker.i.payload[name].eq(command[name]) for name in shared]
        m.d.comb += [ours.eq(theirs) for ours, theirs in zip(walker.bases, self.bases, strict=True)]
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += words.target.eq(command["target"])

        row = walker.o.payload
        m.d.comb += [
            self.requests.valid.eq(walker.o.valid & expected.i.ready),
            expected.i.valid.eq(walker.o.valid & self.requests.ready),
            walker.o.ready.eq(expected.i.ready & self.requests.ready),
            self.requests.payload.address.eq(row.address),
            self.requests.payload.bytes.eq(row.bytes),
            expected.i.payload.offset.eq(row.address),
            expected.i.payload.words.eq(row.words),
            expected.i.payload.buffer.eq(row.buffer),
            expected.i.payload.last.eq(row.last),
        ]
        return m

    def _choose(self, m, walker, expected, words):
        """Rows, beats and weight words of the command that runs go one of two ways; whether a dense
        one is done.
        """
        m.submodules.dense = dense = DenseWeights(self._config)
        command = self.command.payload
        spreading = Signal()
        # ~room is 3 less it.
        m.d.comb += walker.eighths.eq(command.bits << ~command.room)
        with m.If(command.bits != 0):
            m.d.comb += walker.size.eq(len(load_words(self._config)))
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [
                spreading.eq(command.bits != 0),
                *(getattr(dense, n).eq(command[n]) for n in ("bits", "room", "offset")),
            ]
        for source, name in ((expected.o, "rows"), (self.beats, "beats")):
            wide, narrow = getattr(words, name), getattr(dense, name)
            m.d.comb += [
                wide.valid.eq(source.valid & ~spreading),
                narrow.valid.eq(source.valid & spreading),
                wide.payload.eq(source.payload),
                narrow.payload.eq(source.payload),
                source.ready.eq(Mux(spreading, narrow.ready, wide.ready)),
            ]
        plain, to = words.weight_writes, self.weight_writes
        m.d.comb += [
            to.valid.eq(Mux(spreading, dense.o.valid, plain.valid)),
            to.payload.eq(Mux(spreading, dense.o.payload, plain.payload)),
            plain.ready.eq(to.ready & ~spreading),
            dense.o.ready.eq(to.ready & spreading),
        ]
        return dense.done

    def _connect_activations(self, m, words, dense_done):
        """Words to the activation buffer wait for their turn in a buffer of their own, so that the
        arbiters there do not tell the bus when to go on."""
        word = activation_write(self._config)
        m.submodules.waiting = waiting = TwoPlaces(
            data.StructLayout(
                {"address": word["address"].shape, "data": word["data"].shape, "last": 1}
            )
        )
        given, taken = words.activation_writes, self.activation_writes
        written = Signal()  # the last word was, in the cycle before
        m.d.comb += [
            waiting.i.valid.eq(given.valid),
            waiting.i.payload.address.eq(given.payload.address),
            waiting.i.payload.data.eq(given.payload.data),
            waiting.i.payload.last.eq(words.last),
            given.ready.eq(waiting.i.ready),
            taken.valid.eq(waiting.o.valid),
            taken.payload.address.eq(waiting.o.payload.address),
            taken.payload.data.eq(waiting.o.payload.data),
            taken.payload.mask.eq(~0),
            waiting.o.ready.eq(taken.ready),
            self.done.eq((words.done & ~given.valid) | dense_done | written),
        ]
        m.d.sync += written.eq(taken.valid & taken.ready & waiting.o.payload.last)
