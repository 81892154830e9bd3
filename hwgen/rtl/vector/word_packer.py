"""Bytes of several words to the narrower operands of one."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ...config import Config
from ..mac import facts

__all__ = ["WordPacker"]


class WordPacker(wiring.Component):
    """Puts the operands of a word behind those of the words before. Latency 1, a word a cycle.

    An operand is ``bits`` bits of a byte, from bit ``shift`` on, with zeros above, and stands
    2**copies times in its room of 2**room bits; lane 0 of the first word is the lowest. What no
    word has filled is zero. Rooms and copies are those that modes of the configuration have; of
    others the result is undefined.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    room, copies, shift, bits : In
        Constant while there are words.
    take : In(1), first : In(1), word : In
        A word; whether it is the first of a result.
    o : Out
        What the words since the first have become.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "room": In(2),
                "copies": In(2),
                "shift": In(3),
                "bits": In(4),
                "take": In(1),
                "first": In(1),
                "word": In(config.vector_bits),
                "o": Out(config.vector_bits),
            }
        )

    @staticmethod
    def model(
        words: list[list[int]], *, room: int, copies: int, shift: int, bits: int
    ) -> list[int]:
        """The bytes of the result; ``words`` are bytes too, first word first."""
        width = (1 << room) >> copies
        result, place = 0, 0
        for byte in (byte for word in words for byte in word):
            operand = (byte >> shift) & ((1 << bits) - 1) & ((1 << width) - 1)
            for _copy in range(1 << copies):
                result |= operand << place
                place += width
        return list(result.to_bytes(len(words[0]), "little"))

    def elaborate(self, platform):
        m = Module()
        lanes = self._config.array.lanes
        mask = Signal(8)
        m.d.comb += mask.eq((1 << self.bits) - 1)
        operands = []
        for n in range(lanes):
            operand = Signal(8, name=f"operand{n}")
            m.d.comb += operand.eq((self.word.word_select(n, 8) >> self.shift) & mask)
            operands.append(operand)

        # The word is as many pieces as an operand has bits, of R bits each; the result has eight.
        pieces = [Signal(lanes, name=f"piece{n}") for n in range(8)]
        enables = [Signal(name=f"enable{n}") for n in range(8)]
        number, following = Signal(3), Signal(3)
        m.d.comb += following.eq(Mux(self.first, 0, number))
        with m.If(self.take):
            m.d.sync += number.eq(following + 1)
        for room, copies in self._variants():
            size = 1 << room
            fields = Cat(operand[: size >> copies].replicate(1 << copies) for operand in operands)
            with m.If((self.room == room) & (self.copies == copies)):
                for n, (piece, enable) in enumerate(zip(pieces, enables, strict=True)):
                    m.d.comb += [
                        piece.eq(fields.word_select(n % size, lanes)),
                        enable.eq(following[: 3 - room] == n >> room if room < 3 else 1),
                    ]
        with m.If(self.take):
            for n, (piece, enable) in enumerate(zip(pieces, enables, strict=True)):
                with m.If(enable | self.first):
                    m.d.sync += self.o.word_select(n, lanes).eq(piece & enable.replicate(lanes))
        return m

    def _variants(self) -> list[tuple[int, int]]:
        """Rooms and copies, as logarithms."""
        unit = facts(self._config)
        found = set()
        for mode in unit.modes:
            placement = unit.activations_in(mode)
            if placement.stride <= 8:
                found.add((exact_log2(placement.stride), exact_log2(placement.copies)))
        return sorted(found)
