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
    or a quarter of it, at the low end. Rows of the same place are added over all multipliers, and
    then shifted to where they belong in the mode. Where no mode has 16 bits, a multiplier is as
    wide as the widest one.

    Stages: operands, rows, adder tree, sum of rows.
    """

    MODES = (Mode(16, 16), Mode(8, 8), Mode(4, 4))
    BRICK = BRICK

    @classmethod
    def can(cls, mode: Mode) -> bool:
        return True

    @classmethod
    def depth_of(cls, lanes: int, modes: tuple[Mode, ...]) -> int:
        word = max(map(cls.room_in, modes))
        multipliers = OPERAND_BITS * lanes // word
        tree = AdderTree.latency_of(multipliers) if multipliers > 1 else 0
        return 2 + tree + adding_latency(word // BRICK)

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

        rows = []
        row_bits = word + BRICK + 1
        for row in range(word // BRICK):
            # A row has the upper bits of a weight if it is the last one of its room.
            top = Const(1)
            for n in range(levels):
                if ~row >> n & 1:
                    top &= ~apart[n]
            products = []
            for unit in range(multipliers):
                activation = _part(activations.word_select(unit, word), row, apart, is_signed)
                weight = weights.word_select(unit * (word // BRICK) + row, BRICK)
                weight = Cat(weight, weight[-1] & top).as_signed()
                product = Signal(signed(row_bits), name=f"product{unit}_{row}", reset_less=True)
                m.d.sync += product.eq(activation * weight)
                products.append(product)
            if multipliers > 1:
                tree = AdderTree(terms=multipliers, width=row_bits)
                m.submodules[f"row{row}"] = tree
                m.d.comb += tree.i.eq(Cat(products))
                rows.append(tree.o)
            else:
                rows.append(products[0])

        latency = 1 + (AdderTree.latency_of(multipliers) if multipliers > 1 else 0)
        apart = [delayed(m, value, latency, f"apart{n}") for n, value in enumerate(apart)]
        total, _latency = add_columns(m, rows, apart, width=BRICK)
        m.d.comb += self.o_sum.eq(total)
        return m


def _part(word: Value, row: int, apart: list[Value], is_signed: Value) -> Value:
    """The activation that a row multiplies, extended to the width of the word and a sign."""

    def extended(part: Value) -> Value:
        sign = part[-1] & is_signed
        return Cat(part, sign.replicate(len(word) + 1 - len(part)))

    choice = extended(word.word_select(row, BRICK))
    for n, larger in enumerate(apart):
        part = word.word_select(row >> n + 1, BRICK << n + 1)
        choice = choose(larger, extended(part), choice)
    return choice.as_signed()
