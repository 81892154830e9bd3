"""Rows of a dense pass, in order."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...config import Config
from ..commands import position_shape, row_shape
from .layouts import column_shape

__all__ = ["RowCounter"]


class RowCounter(wiring.Component):
    """Walks rows: all columns of position 0, then of position 1 …, and over again.

    Members
    -------
    slots, positions : In
        Columns of a position (at least 1), and positions; stable during a walk. With no positions
        there is one step without a row, and ``some`` is low.
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
                "slots": In(bits_for(config.array.slots)),
                "positions": In(bits_for(config.array.rows)),
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
        # How many there are up to this one: registers of their own, so that no adder is in the way.
        columns, positions = Signal.like(self.slots, init=1), Signal.like(self.positions, init=1)
        m.d.comb += [
            self.some.eq(self.positions.any()),
            self.completes.eq(columns == self.slots),
            self.last.eq((self.completes & (positions == self.positions)) | ~self.some),
        ]
        with m.If(self.advance):
            m.d.sync += [
                self.row.eq(self.row + 1),
                self.column.eq(self.column + 1),
                columns.eq(columns + 1),
            ]
            with m.If(self.completes):
                m.d.sync += [
                    self.column.eq(0),
                    columns.eq(1),
                    self.position.eq(self.position + 1),
                    positions.eq(positions + 1),
                ]
            with m.If(self.last):
                m.d.sync += [
                    self.row.eq(0),
                    self.column.eq(0),
                    columns.eq(1),
                    self.position.eq(0),
                    positions.eq(1),
                ]
        return m
