"""Rows of a dense pass, in order."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...config import Config
from ..commands import position_shape, row_shape
from .layouts import column_shape, walk_marks

__all__ = ["RowCounter"]


class RowCounter(wiring.Component):
    """Walks rows: all columns of position 0, then of position 1 …, and over again.

    That a row is the last of its position, or of the walk, is known from registers: much follows
    from it in the same cycle.

    Members
    -------
    positions : In
        How many there are; stable during a walk. With no positions there is one step without a
        row, and ``some`` is low.
    marks : In(walk_marks)
        What the walk is like, and how many columns a position has; stable likewise.
    advance : In(1)
        Go to the next row.
    some : Out(1)
        There is a row.
    row, position, column : Out
        The current row, ``row = position * slots + column``.
    completes, last : Out(1)
        It is the last row of its position, of the walk.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "positions": In(bits_for(config.array.rows)),
                "marks": In(walk_marks(config)),
                "advance": In(1),
                "some": Out(1),
                "row": Out(row_shape(config)),
                "position": Out(position_shape(config)),
                "column": Out(column_shape(config)),
                "completes": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Positions from this one on, unless it is the first; whether this is the last one, the last
        # column of it, and the last row of all.
        positions_left = Signal.like(self.positions)
        first_column, first_position, first = (
            Signal(init=1, name=name) for name in ("first_column", "first_position", "first")
        )
        last_column, last_position, last = (
            Signal(name=name) for name in ("last_column", "last_position", "last_row")
        )
        final = Signal()  # position
        m.d.comb += [
            self.some.eq(~self.marks.empty),
            self.completes.eq(Mux(first_column, self.marks.one_slot, last_column)),
            final.eq(Mux(first_position, self.marks.one_position, last_position)),
            self.last.eq(Mux(first, self.marks.one_row, last)),
        ]
        turns = self.column == self.marks.penultimate
        positions = Mux(first_position, self.positions, positions_left)
        with m.If(self.advance):
            m.d.sync += [
                self.row.eq(self.row + 1),
                self.column.eq(self.column + 1),
                first_column.eq(self.completes),
                last_column.eq(turns),
                first.eq(0),
                last.eq(turns & final),
            ]
            with m.If(self.completes):
                m.d.sync += [
                    self.column.eq(0),
                    self.position.eq(self.position + 1),
                    positions_left.eq(positions - 1),
                    first_position.eq(0),
                    last_position.eq(positions == 2),
                    last.eq((positions == 2) & self.marks.one_slot),
                ]
            with m.If(self.last):
                m.d.sync += [
                    self.row.eq(0),
                    self.column.eq(0),
                    self.position.eq(0),
                    first_column.eq(1),
                    first_position.eq(1),
                    first.eq(1),
                ]
        return m
