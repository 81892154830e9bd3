"""Where a burst begins, and where its words go."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ....config import Config
from ....isa.instructions import INSTRUCTION_BITS, by_name
from ....isa.registers import number_bits
from ...commands import instruction_fields, instruction_layout
from ..splitter import longest_burst

__all__ = ["Copier"]


class Copier(wiring.Component):
    """The loops of a LOAD or STORE, burst by burst; and the place of the next instruction.

    A burst ends with its row, or at a multiple of the longest burst. Instructions and records,
    blocks of 32 bytes, are a burst each. Addresses are modulo 2 to the power of their width.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    fields : In
        Those of the LOAD, or of the STORE, shifted to where a LOAD has them.
    fetches, blocks : In(1)
        What is copied is an instruction, number ``index``; it consists of blocks.
    index : In
    begin, origin : In
        Strobe: what follows lies behind byte ``origin``, the program or a base register.
    next_piece, next_row : In(1)
        Strobes: the row goes on in another burst; there is another row.
    word : In(1)
        Strobe: a word, or a block, has come or gone.
    address, through : Out
        Of the burst's first beat and of its last one, in beats.
    beats : Out
        Of the burst, less one.
    buffer : Out
        The word's place in its buffer.
    misaligned : Out(1)
        The address is no multiple of the word.
    row_ends, ends : Out(1)
        No word of the row is left; it is the last row.
    """

    def __init__(self, config: Config):
        self._config = config
        self._layout = instruction_layout("LOAD", config).members
        self._beat = exact_log2(config.bus.data_width // 8)
        self._piece = exact_log2(longest_burst(config))
        super().__init__(
            {
                "fields": In(instruction_fields(by_name("LOAD"))),
                "fetches": In(1),
                "blocks": In(1),
                "index": In(number_bits(config)),
                "begin": In(1),
                "origin": In(config.bus.address_width),
                "next_piece": In(1),
                "next_row": In(1),
                "word": In(1),
                "address": Out(config.bus.address_width - self._beat),
                "through": Out(config.bus.address_width - self._beat),
                "beats": Out(self._piece),
                "buffer": Out(self._layout["buffer"]),
                "misaligned": Out(1),
                "row_ends": Out(1),
                "ends": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        fields = self.fields
        block = exact_log2(INSTRUCTION_BITS // self._config.bus.data_width)
        width, bits = len(self.address), len(self.buffer)
        # Where the row and the plane begin, in memory and in the buffer.
        row, plane = Signal(width), Signal(width)
        row_buffer, plane_buffer = Signal(bits), Signal(bits)
        # Rows of the plane and planes that have begun; words left of the row.
        rows, planes = (Signal(self._layout[name]) for name in ("rows", "planes"))
        words = Signal(self._layout["words"])
        plane_ends, turns = Signal(), Signal()
        m.d.comb += [
            plane_ends.eq(rows == fields.rows),
            self.ends.eq(plane_ends & (planes == fields.planes)),
            self.row_ends.eq(words == 0),
            turns.eq(self.begin | self.next_row),
        ]

        def scaled(words):
            """Words as beats."""
            return Mux(self.blocks, words[: width - block] << block, words[:width])

        start = Mux(self.fetches, self.index << block, fields.address[self._beat :])
        stride = Mux(plane_ends, scaled(fields.plane_stride), scaled(fields.row_stride))
        origin = Mux(plane_ends, plane, row)
        place, buffer = Signal(width), Signal(bits)
        with m.If(self.begin):
            m.d.comb += place.eq(self.origin[self._beat :] + start)
            m.d.comb += buffer.eq(fields.buffer)
        with m.Else():
            m.d.comb += place.eq(origin + stride)
            m.d.comb += buffer.eq(
                Mux(plane_ends, plane_buffer, row_buffer)
                + Mux(plane_ends, fields.buffer_plane_stride, fields.buffer_row_stride)
            )
        with m.If(turns):
            m.d.sync += [
                self.address.eq(place),
                row.eq(place),
                self.buffer.eq(buffer),
                row_buffer.eq(buffer),
                words.eq(Mux(self.fetches, 1, fields.words)),
                rows.eq(rows + 1),
            ]
            with m.If(self.begin | plane_ends):
                m.d.sync += [plane.eq(place), plane_buffer.eq(buffer), rows.eq(1)]
                m.d.sync += planes.eq(Mux(self.begin, 1, planes + 1))
        with m.If(self.next_piece):
            rest = Mux(self.blocks, (1 << block) - 1, (1 << self._piece) - 1)
            m.d.sync += self.address.eq((self.address | rest) + 1)
        with m.If(self.word):
            m.d.sync += [words.eq(words - 1), self.buffer.eq(self.buffer + 1)]

        odd = Signal()
        with m.If(self.begin):
            low = Mux(self.fetches, 0, fields.address[: self._beat])
            m.d.sync += odd.eq((self.origin[: self._beat] | low).any())
        rest, room = words - 1, ~self.address[: self._piece]
        m.d.comb += [
            self.misaligned.eq(odd | (self.blocks & self.address[:block].any())),
            self.beats.eq(Mux(rest[: len(words)] < room, rest, room)),
        ]
        with m.If(self.blocks):
            m.d.comb += self.beats.eq((1 << block) - 1)
        within = self.address[: self._piece] + self.beats
        m.d.comb += self.through.eq(Cat(within[: self._piece], self.address[self._piece :]))
        return m
