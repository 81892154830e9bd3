"""From beats of the memory port to words of the buffers."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ...config import Config
from ...isa.parameters import RECORD_BYTES
from ..commands import instruction_layout
from ..drain.records import record_write
from .ports import activation_write, weight_store

__all__ = ["BeatsToWords", "load_words", "row_of_beats"]


def load_words(config: Config) -> list[int]:
    """Bytes of a word of each target of a LOAD."""
    return [config.vector_bits // 8, config.weight_word_bits // 8, RECORD_BYTES]


def row_of_beats(config: Config) -> data.StructLayout:
    """A row whose beats come: byte of the first beat where it starts, its words, and where they
    go."""
    members = instruction_layout("LOAD", config).members
    return data.StructLayout(
        {
            "offset": exact_log2(config.bus.data_width // 8),
            "words": members["words"],
            "buffer": members["buffer"],
            "last": 1,
        }
    )


class BeatsToWords(wiring.Component):
    """Cuts beats into words or joins them, and writes the words to the buffer that ``target`` says.

    Words are aligned: those smaller than a beat do not cross beats, larger ones begin with a beat.
    A row begins with a beat of its own, and what its last beat has behind its last word is dropped.
    Of words as large as a beat or larger, a beat is taken in every cycle, of smaller ones a word is
    given in every cycle; a row costs one cycle more. Buffers wrap at their end.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    target : In(2)
        Target of the LOAD; stable from the first row of a command to the last.
    rows : In(stream of row_of_beats), beats : In(stream)
    activation_writes, weight_writes, record_writes : Out(stream)
    last : Out(1)
        The word that is offered is the last of the last row.
    done : Out(1)
        Strobe: it has been accepted.
    """

    def __init__(self, config: Config):
        self._config = config
        # Bytes of a word that somebody wants: without gates there is no base path, which is the
        # second half of a record.
        self._wanted = load_words(config)
        if not config.array.gated:
            self._wanted[2] = max(RECORD_BYTES // 2, config.bus.data_width // 8)
        super().__init__(
            {
                "target": In(2),
                "rows": In(stream.Signature(row_of_beats(config))),
                "beats": In(stream.Signature(unsigned(config.bus.data_width))),
                "activation_writes": Out(stream.Signature(activation_write(config))),
                "weight_writes": Out(stream.Signature(weight_store(config))),
                "record_writes": Out(stream.Signature(record_write(config))),
                "last": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat_bits = self._config.bus.data_width
        sizes = load_words(self._config)
        row = Signal(row_of_beats(self._config))  # what is left of it
        active = Signal()
        final = Signal()  # its last word comes next
        # The newest beat is on top.
        held = Signal(max(beat_bits, 8 * max(self._wanted)), reset_less=True)
        unwanted = Signal()  # beats of a record that do not come in
        most = max(beat_bits, 8 * max(sizes))
        parts = Signal(range(most // beat_bits + 1))  # beats of an unfinished word
        there = Signal(len(sizes))  # a word, or a beat of words, is there: for each target
        full = there.any()
        given, ended, emptied, complete = Signal(), Signal(), Signal(), Signal()
        following = Signal(len(row.offset) + 1)

        m.d.comb += unwanted.eq((self.target == 2) & (parts >= 8 * self._wanted[2] // beat_bits))
        words = self._words(m, held, row, there)
        with m.Switch(self.target):
            for n, size in enumerate(sizes):
                with m.Case(n):
                    m.d.comb += [
                        complete.eq(parts == max(1, size * 8 // beat_bits) - 1),
                        following.eq(row.offset + size if size * 8 < beat_bits else ~0),
                    ]
        m.d.comb += [
            given.eq(Cat(bit & word.ready for bit, word in zip(there, words, strict=True)).any()),
            ended.eq(given & final),
            emptied.eq(given & following[-1]),
            self.last.eq(final & row.last),
            self.done.eq(ended & row.last),
            self.rows.ready.eq(~active | ended),
            # Whether a word is given is known late: both ways are prepared.
            self.beats.ready.eq(Mux(given, active & ~final & following[-1], active & ~full)),
        ]
        with m.If(given):
            m.d.sync += [
                row.words.eq(row.words - 1),
                final.eq(row.words == 2),
                row.buffer.eq(row.buffer + 1),
                row.offset.eq(following),
            ]
        with m.If(emptied | ended):
            m.d.sync += there.eq(0)
        with m.If(self.beats.valid & self.beats.ready):
            with m.If(~unwanted):
                m.d.sync += held.eq(Cat(held, self.beats.payload)[beat_bits:])
            m.d.sync += [
                there.eq(Cat(complete & (self.target == n) for n in range(len(sizes)))),
                parts.eq(Mux(complete, 0, parts + 1)),
            ]
        with m.If(self.rows.ready):
            m.d.sync += [
                active.eq(self.rows.valid),
                row.eq(self.rows.payload),
                final.eq(self.rows.payload.words == 1),
            ]
        return m

    def _words(self, m, held, row, there) -> list:
        """The three outputs, with the word that each takes from the beats."""
        beat_bits = self._config.bus.data_width
        outputs = [self.activation_writes, self.weight_writes, self.record_writes]
        places = [("address", "data"), ("address", "data"), ("index", "record")]
        sizes = load_words(self._config)
        for n, (output, (address, word), size, wanted) in enumerate(
            zip(outputs, places, sizes, self._wanted, strict=True)
        ):
            if size * 8 < beat_bits:
                lane = row.offset[exact_log2(size) :]
                value = held[-beat_bits:].word_select(lane, size * 8)
            else:
                value = held[len(held) - wanted * 8 :]
            m.d.comb += [
                output.valid.eq(there[n]),
                output.payload[address].eq(row.buffer),
                output.payload[word].eq(value),
            ]
        m.d.comb += self.activation_writes.payload.mask.eq(~0)
        return outputs
