"""Multipliers that split into narrower ones."""

from amaranth import *
from amaranth.utils import ceil_log2

from .adder_tree import AdderTree
from .base import OPERAND_BITS, Mac
from .columns import add_columns, adding_latency, choose, delayed, held
from .mode import Mode

__all__ = ["SubwordMac"]

BRICK = 4
"""Bits of a weight that a row multiplies."""


class SubwordMac(Mac):
    """:class:`Mac` of multipliers of 16 x 16 bits, each of which is two of 8 x 8 or four of 4 x 4.

    A vector is taken in one cycle in every mode. A multiplier is made of rows, each of which
    multiplies four bits of the weight by the activation that they belong to: the whole word, a half
    or a quarter of it, at the low end. What one bit of the weights selects is added over all
    multipliers first, so a sign is applied and a row is shifted to its place in the mode only once.
    Where no mode has 16 bits, a multiplier is as wide as the widest one.

    Stages: operands, adder trees, rows, sum of rows.
    """

    MODES = (Mode(16, 16), Mode(8, 8), Mode(4, 4))
    BRICK = BRICK
    CAN = "1x1 to 16x16"

    @classmethod
    def can(cls, mode: Mode) -> bool:
        return True

    @classmethod
    def depth_of(cls, lanes: int, modes: tuple[Mode, ...]) -> int:
        word = max(map(cls.room_in, modes))
        multipliers = OPERAND_BITS * lanes // word
        return 2 + _tree_latency(multipliers) + adding_latency(word // BRICK)

    def elaborate(self, platform):
        m = Module()
        rooms = [self.room_in(mode) for mode in self.modes]
        word = max(rooms)
        multipliers = len(self.i_weights) // word
        levels = ceil_log2(word // BRICK)

        activations = Signal.like(self.i_activations, reset_less=True)
        weights = Signal.like(self.i_weights, reset_less=True)
        is_signed = Signal(reset_less=True)
        with m.If(self.i_start):
            m.d.sync += [
                activations.eq(self.i_activations),
                weights.eq(self.i_weights),
                is_signed.eq(self.i_signed),
            ]
        apart = [
            held(m, self, [room > BRICK << n for room in rooms], f"apart{n}") for n in range(levels)
        ]

        latency = _tree_latency(multipliers)
        rows = []
        for row in range(word // BRICK):
            parts = [
                _part(activations.word_select(unit, word), row, apart, is_signed)
                for unit in range(multipliers)
            ]
            sums = []
            for bit in range(BRICK):
                selected = [
                    part & weights[unit * word + row * BRICK + bit].replicate(len(part))
                    for unit, part in enumerate(parts)
                ]
                sums.append(_sum(m, selected, f"row{row}_bit{bit}"))
            # A row has the upper bits of a weight if it is the last one of its room.
            top = Const(1)
            for n in range(levels):
                if ~row >> n & 1:
                    top &= ~apart[n]
            top = delayed(m, top, latency, f"top{row}")
            rows.append(_row(m, sums, top, f"row{row}"))

        apart = [delayed(m, value, latency + 1, f"apart{n}") for n, value in enumerate(apart)]
        total, _latency = add_columns(m, rows, apart, width=BRICK)
        m.d.comb += self.o_sum.eq(total)
        return m


def _tree_latency(multipliers: int) -> int:
    return AdderTree.latency_of(multipliers) if multipliers > 1 else 1


def _sum(m: Module, terms: list[Value], name: str) -> Value:
    """The sum of signed numbers, or the one there is, in registers."""
    if len(terms) == 1:
        total = Signal(signed(len(terms[0])), name=name, reset_less=True)
        m.d.sync += total.eq(terms[0].as_signed())
        return total
    m.submodules[name] = tree = AdderTree(terms=len(terms), width=len(terms[0]))
    m.d.comb += tree.i.eq(Cat(terms))
    return tree.o


def _row(m: Module, sums: list[Value], top: Value, name: str) -> Value:
    """What four bits of the weights make of their sums; the upper one is negative in a top row."""
    ones, twos, fours, eights = sums
    inverted = eights.as_unsigned() ^ top.replicate(len(eights))
    # Two's complement needs a two more: one in the free bit, one as a carry from below.
    upper = Signal(signed(len(fours) + 3), name=f"{name}_upper")
    total = Signal(signed(len(ones) + BRICK), name=name, reset_less=True)
    m.d.comb += upper.eq(Cat(top, fours).as_signed() + Cat(top, top, inverted).as_signed())
    m.d.sync += total.eq(ones + (twos << 1) + (upper >> 1 << 2))
    return total


def _part(word: Value, row: int, apart: list[Value], is_signed: Value) -> Value:
    """The activation that a row multiplies, extended to the width of the word and a sign."""

    def extended(part: Value) -> Value:
        sign = part[-1] & is_signed
        return Cat(part, sign.replicate(len(word) + 1 - len(part)))

    choice = extended(word.word_select(row, BRICK))
    for n, larger in enumerate(apart):
        part = word.word_select(row >> n + 1, BRICK << n + 1)
        choice = choose(larger, extended(part), choice)
    return choice.as_unsigned()
