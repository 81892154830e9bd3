"""Maximum or sum of the words of a window, all lanes at once."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ..mac import facts
from .word_packer import WordPacker

__all__ = ["SUM_BITS", "WindowReducer", "reduced_layout", "tap_flags"]

SUM_BITS = 23
"""Of a sum over 127 x 127 activations, 255 each, and its sign."""

COMPARED = 9
"""Bits of an activation with sign, and so the place of the sign of a difference of two."""


def tap_flags() -> data.StructLayout:
    """What there is to know of a tap but its address; see tap_layout."""
    return data.StructLayout({"inside": 1, "first": 1, "last": 1, "second": 1})


def reduced_layout(config: Config) -> data.StructLayout:
    """Of each lane the maximum or sum, and the byte of the second operand; where modes need it, the
    packed word.
    """
    lanes = config.array.lanes
    return data.StructLayout(
        {
            "values": data.ArrayLayout(signed(SUM_BITS), lanes),
            "second": data.ArrayLayout(signed(9), lanes),
        }
        | ({"packed": config.vector_bits} if facts(config).packs else {})
    )


class WindowReducer(wiring.Component):
    """Takes taps and the words of those that are inside, and gives one result a window.

    One tap a cycle while results are taken; a result appears two cycles after its last tap. What
    lies outside counts as nothing: 0 in a sum, and for the maximum less than any activation. A
    window that is all outside has a maximum whose low byte is 0. Of a maximum, the byte counts, and
    the bits above a sign are arbitrary.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    maximum, signed : In(1)
        Maximum, not sum; bytes are signed. Constant while there are taps.
    taps : In(stream(tap_flags))
        The taps.
    words : In(stream)
        A word for each tap that is inside, in the same order.
    o : Out(stream(reduced_layout))
        The results. ``second`` is that of the last tap of the second operand.

    Attributes
    ----------
    packer : WordPacker or None
        Packs the words of a window as its members say, where modes need it.
    """

    def __init__(self, config: Config):
        self._config = config
        self.packer = WordPacker(config) if facts(config).packs else None
        super().__init__(
            {
                "maximum": In(1),
                "signed": In(1),
                "taps": In(stream.Signature(tap_flags())),
                "words": In(stream.Signature(config.vector_bits)),
                "o": Out(stream.Signature(reduced_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        flags = self.taps.payload

        # 1: the tap meets its word.
        held_valid, moves, takes = Signal(), Signal(), Signal()
        held = Signal(tap_flags(), reset_less=True)
        word = Signal(self._config.vector_bits, reset_less=True)
        m.d.comb += [
            takes.eq((~held_valid | moves) & self.taps.valid & (self.words.valid | ~flags.inside)),
            self.taps.ready.eq(takes),
            self.words.ready.eq(takes & flags.inside),
        ]
        with m.If(takes):
            m.d.sync += [held_valid.eq(1), held.eq(flags), word.eq(self.words.payload)]
        with m.Elif(moves):
            m.d.sync += held_valid.eq(0)

        # 2: it is added to, or compared with, what the window has so far.
        m.d.comb += moves.eq(held_valid & (~self.o.valid | self.o.ready))
        with m.If(moves):
            m.d.sync += self.o.valid.eq(held.last)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        if self.packer is not None:
            m.submodules.packer = packer = self.packer
            m.d.comb += [
                packer.take.eq(moves),
                packer.first.eq(held.first),
                packer.word.eq(word),
                self.o.payload.packed.eq(packer.o),
            ]
        nothing = Mux(self.maximum, -256, 0)
        # Behind the adder a register of its own, later by a cycle: both sides have many loads.
        compares = Signal()
        m.d.sync += compares.eq(self.maximum)
        for lane in range(self._config.array.lanes):
            byte = word.word_select(lane, 8)
            value = Signal(signed(9), name=f"value_{lane}")
            term, so_far = (
                Signal(signed(9), name=f"term_{lane}"),
                Signal(signed(SUM_BITS), name=f"so_far_{lane}"),
            )
            total = Signal(signed(SUM_BITS + 1), name=f"total_{lane}")
            result = self.o.payload["values"][lane]
            m.d.comb += [
                value.eq(Cat(byte, byte[7] & self.signed).as_signed()),
                term.eq(Mux(held.inside, value, nothing)),
                so_far.eq(Mux(held.first, nothing, result)),
                # One adder for both: so_far + ~term is negative if term is not less than so_far,
                # and both are small then.
                total.eq(so_far + (term ^ self.maximum.replicate(9).as_signed())),
            ]
            with m.If(moves & held.second):
                m.d.sync += self.o.payload.second[lane].eq(value)
            with m.If(moves & ~held.second):
                larger = Mux(total[COMPARED], term, result)[: COMPARED + 1]
                low, high = total[: COMPARED + 1], total[COMPARED + 1 :]
                m.d.sync += result.eq(Cat(Mux(compares, larger, low), high))
        return m
