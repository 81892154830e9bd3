"""From beats of the memory port to weight words, for weights that lie dense in memory."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ...config import Config
from ..mac import facts
from .ports import weight_store
from .words import row_of_beats

__all__ = ["DenseWeights", "dense_units"]

EIGHTHS = 8
"""A dense word is so many eighths of a weight word as a weight has bits, in a room of eight."""


def dense_units(config: Config) -> int:
    """Bits of an eighth of a weight word."""
    return config.weight_word_bits // EIGHTHS


class DenseWeights(wiring.Component):
    """Cuts words out of a stream of bits and gives each weight its room. A word a cycle, as long as
    beats last.

    A row begins with a beat of its own, and what its last beat has behind its last word is dropped.
    A weight gets copies of its upper bit above it, up to its room, and ``offset`` zeros below.
    Widths are those that some mode of the configuration leaves free; of others words are undefined.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    bits, room, offset : In
        Fields of the LOAD; stable from the row on.
    rows : In(stream of row_of_beats), beats : In(stream)
    o : Out(stream of weight_store)
    done : Out(1)
        Strobe: the last word of the row has been accepted.
    """

    def __init__(self, config: Config):
        self._config = config
        # A piece is the most that divides a beat and an eighth of a word.
        self._piece = min(dense_units(config), config.bus.data_width)
        super().__init__(
            {
                "bits": In(4),
                "room": In(2),
                "offset": In(3),
                "rows": In(stream.Signature(row_of_beats(config))),
                "beats": In(stream.Signature(unsigned(config.bus.data_width))),
                "o": Out(stream.Signature(weight_store(config))),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat_bits, piece = self._config.bus.data_width, self._piece
        per_beat, per_eighth = beat_bits // piece, dense_units(self._config) // piece
        most = (EIGHTHS - 1) * per_eighth  # pieces of a word
        beats = 1 + -(-(most - 1) // per_beat)
        held = Signal(beats * beat_bits)  # the newest beat on top
        fill = Signal(range(beats * per_beat + 1))  # pieces there, up to the top
        row = Signal(row_of_beats(self._config))  # what is left of it
        active, enough, given, ended = Signal(), Signal(), Signal(), Signal()
        need, left = Signal(range(most + 1)), Signal.like(fill)
        m.d.comb += [
            need.eq((self.bits << ~self.room) * per_eighth),
            enough.eq(fill >= need),
            left.eq(Mux(given, fill - need, fill)),
            self.o.valid.eq(active & enough),
            given.eq(self.o.valid & self.o.ready),
            ended.eq(given & (row.words == 1)),
            self.done.eq(ended & row.last),
            self.rows.ready.eq(~active | ended),
            # A beat that no word of the row needs is of the next row.
            self.beats.ready.eq(active & ~ended & (left < need)),
        ]
        m.d.sync += fill.eq(left)
        with m.If(given):
            m.d.sync += [row.words.eq(row.words - 1), row.buffer.eq(row.buffer + 1)]
        with m.If(self.beats.valid & self.beats.ready):
            m.d.sync += [
                held.eq(Cat(held, self.beats.payload)[beat_bits:]),
                fill.eq(left + per_beat),
            ]
        with m.If(self.rows.ready):
            m.d.sync += [active.eq(self.rows.valid), row.eq(self.rows.payload), fill.eq(0)]

        dense = Signal(most * piece)
        first = Signal(range(beats * per_beat + 1))
        m.d.comb += first.eq(beats * per_beat - fill)
        with m.Switch(first):
            for n in range(beats * per_beat):
                with m.Case(n):
                    m.d.comb += dense.eq(held[n * piece :])
        m.d.comb += [
            self.o.payload.address.eq(row.buffer),
            self.o.payload.data.eq(self._spread(m, dense)),
        ]
        return m

    def _spread(self, m, dense) -> Signal:
        """The word of which ``dense`` holds the weights, in the lower bits."""
        word = Signal(self._config.weight_word_bits)
        for bits, room, offset in self._variants():
            with m.If((self.bits == bits) & (self.room == room) & (self.offset == offset)):
                for n in range(len(word) >> room):
                    weight = dense.word_select(n, bits)
                    size = 1 << room
                    extended = Cat(weight, weight[-1].replicate(size - offset - bits))
                    m.d.comb += word.word_select(n, size)[offset:].eq(extended)
        return word

    def _variants(self) -> list[tuple[int, int, int]]:
        """Bits, logarithm of the room, and offset."""
        unit = facts(self._config)
        places = [unit.weights_in(mode) for mode in unit.modes]
        return sorted(
            {
                (bits, exact_log2(place.stride), place.offset)
                for place in places
                if place.stride <= EIGHTHS and not place.bipolar
                for bits in range(1, min(place.width, place.stride - 1) + 1)
            }
        )
