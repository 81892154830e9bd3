"""Rows of a conditional pass, in order."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...config import Config
from ..commands import row_shape
from .layouts import task_record

__all__ = ["TaskRows"]


class TaskRows(wiring.Component):
    """Fetches the records of the task rows ahead of their use, over and over, one a cycle.

    The first record is there three cycles after ``active`` goes up. While it is low, everything
    that was fetched is forgotten.

    Members
    -------
    active : In(1)
        Rows are wanted.
    rows : In
        Number of task rows; at least 1, and stable while ``active``.
    store_en : Out(1), store_row : Out, store_record : In(task_record)
        Read port of the task store, latency 1, data held.
    valid : Out(1)
        The fields below are those of the current row.
    record : Out(task_record), row : Out, last : Out(1)
        The current row; ``last`` of a walk.
    room : In(1)
        Go to the next row, if there is one.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "active": In(1),
                "rows": In(bits_for(config.array.rows)),
                "store_en": Out(1),
                "store_row": Out(row_shape(config)),
                "store_record": In(task_record(config)),
                "valid": Out(1),
                "record": Out(task_record(config)),
                "row": Out(row_shape(config)),
                "last": Out(1),
                "room": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        fetched = Signal()
        fetched_row = Signal.like(self.row)
        fetched_last = Signal()
        final = Signal()
        moves = Signal()
        m.d.comb += [
            moves.eq(fetched & (~self.valid | self.room)),
            self.store_en.eq(self.active & (~fetched | moves)),
            final.eq(self.store_row + 1 == self.rows),
        ]

        with m.If(self.store_en):
            m.d.sync += [
                fetched.eq(1),
                fetched_row.eq(self.store_row),
                fetched_last.eq(final),
                self.store_row.eq(Mux(final, 0, self.store_row + 1)),
            ]
        with m.Elif(moves):
            m.d.sync += fetched.eq(0)

        with m.If(moves):
            m.d.sync += [
                self.valid.eq(1),
                self.record.eq(self.store_record),
                self.row.eq(fetched_row),
                self.last.eq(fetched_last),
            ]
        with m.Elif(self.room):
            m.d.sync += self.valid.eq(0)

        with m.If(~self.active):
            m.d.sync += [fetched.eq(0), self.valid.eq(0), self.store_row.eq(0)]
        return m
