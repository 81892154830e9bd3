"""From words of the activation buffer to beats of the memory port."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ...config import Config
from ..commands import instruction_layout
from .write_master import write_beat

__all__ = ["WordsToBeats", "row_of_words"]


def row_of_words(config: Config) -> data.StructLayout:
    """A row whose words come: byte of its first beat where it starts, its words, and whether it is
    the last."""
    return data.StructLayout(
        {
            "offset": exact_log2(config.bus.data_width // 8),
            "words": instruction_layout("STORE", config).members["words"],
            "last": 1,
        }
    )


class WordsToBeats(wiring.Component):
    """Packs the words of each row into beats, with strobes for the bytes that belong to the row.

    One word a cycle if it is not larger than a beat, else one beat a cycle. A row costs one cycle
    more.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    rows : In(stream of row_of_words), words : In(stream), o : Out(stream of write_beat)
    done : Out(1)
        Strobe: the last beat of the last row has been accepted.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "rows": In(stream.Signature(row_of_words(config))),
                "words": In(stream.Signature(unsigned(config.vector_bits))),
                "o": Out(stream.Signature(write_beat(config))),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        row = Signal(row_of_words(self._config))  # what is left of it
        some = Signal()  # there are words left
        active, ended = Signal(), Signal()
        m.d.comb += [
            self.rows.ready.eq(~active | ended),
            self.done.eq(ended & row.last),
        ]
        if self._config.vector_bits <= self._config.bus.data_width:
            self._join(m, row, some, active, ended)
        else:
            self._cut(m, row, some, active, ended)
        with m.If(self.words.valid & self.words.ready):
            m.d.sync += [row.words.eq(row.words - 1), some.eq(row.words != 1)]
        with m.If(self.rows.ready):
            m.d.sync += [
                active.eq(self.rows.valid),
                row.eq(self.rows.payload),
                some.eq(self.rows.payload.words.any()),
            ]
        return m

    def _join(self, m, row, some, active, ended):
        """Words go to their places in a beat."""
        word_bits = self._config.vector_bits
        size = word_bits // 8
        beat = Signal(write_beat(self._config))
        full, taken, given = Signal(), Signal(), Signal()
        following = Signal(len(row.offset) + 1)
        place = row.offset[exact_log2(size) :]
        m.d.comb += [
            self.o.valid.eq(full),
            self.o.payload.eq(beat),
            given.eq(full & self.o.ready),
            self.words.ready.eq(active & some & (~full | self.o.ready)),
            taken.eq(self.words.valid & self.words.ready),
            following.eq(row.offset + size),
            ended.eq(given & ~some),
        ]
        with m.If(given):
            m.d.sync += [full.eq(0), beat.strobes.eq(0)]
        with m.If(taken):
            m.d.sync += [
                beat.data.word_select(place, word_bits).eq(self.words.payload),
                beat.strobes.word_select(place, size).eq(~0),
                full.eq(following[-1] | (row.words == 1)),
                row.offset.eq(following),
            ]

    def _cut(self, m, row, some, active, ended):
        """A word is several beats, lowest bytes first."""
        beat_bits = self._config.bus.data_width
        pieces = self._config.vector_bits // beat_bits
        word = Signal(self._config.vector_bits)
        left = Signal(range(pieces + 1))
        final = Signal()
        m.d.comb += [
            self.o.valid.eq(left != 0),
            self.o.payload.data.eq(word),
            self.o.payload.strobes.eq(~0),
            final.eq((left == 0) | ((left == 1) & self.o.ready)),
            self.words.ready.eq(active & some & final),
            ended.eq((left == 1) & self.o.ready & ~some),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [word.eq(word >> beat_bits), left.eq(left - 1)]
        with m.If(self.words.valid & self.words.ready):
            m.d.sync += [word.eq(self.words.payload), left.eq(pieces)]
