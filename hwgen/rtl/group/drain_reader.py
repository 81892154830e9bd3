"""From rows of sums to single sums on their way out."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from ...config import Config
from ..commands import drain_command, drain_item, row_shape
from .layouts import gated_position_shape, listed_shape, marks_of, task_record
from .row_counter import RowCounter

__all__ = ["DrainReader"]

ALL, FINISHED, TASKS = range(3)


def _few(lanes):
    """Whether there is at most one."""
    lanes = list(lanes)
    return ~Cat(lane & Cat(lanes[:n]).any() for n, lane in enumerate(lanes) if n).any()


def _picked(index, values):
    """One of the values, by a tree: a sum is chosen among many bits, and each step costs a LUT."""
    for bit in index:
        values = [Mux(bit, odd, even) for even, odd in zip(values[::2], values[1::2], strict=True)]
    return values[0]


class DrainReader(wiring.Component):
    """Reads the rows that a drain command names and sends their sums one by one, in order.

    Sums of a row leave by ascending lane, one a cycle, while the next row is fetched. What a row
    holds that was judged, or one of tasks, is looked at while it lies in the memory's output: these
    take two cycles at least, also without any sum. After the last sum comes an item without one
    that is marked ``last``, also if there is no sum at all; then the next command is accepted.

    Members
    -------
    command : In(stream of drain_command)
    items : Out(stream of drain_item)
        ``full`` tells the path: 0 for finished sums (source 1), 1 for all others.
    read_en, read_bank : Out(1), read_row : Out
        Row to read. All memories are read together, latency 1, held.
    take : Out(1), sums : In(array of D)
        The sums that have been read, from the cycle after ``take`` until the next.
    departed : In(D)
        Which of the sums that were there to be taken in the cycle before have become tasks. This
        and the following: gated only.
    record_en : Out(1), record : In(task_record)
        What the task store knows of ``read_row``.
    task_rows : In
        Number of task rows.
    listed : Out, listed0, listed1 : In
        Position with that number in the list of task-bearing positions, and the one behind it, in
        the same cycle.
    """

    def __init__(self, config: Config):
        self._config = config
        members = {
            "command": In(stream.Signature(drain_command(config))),
            "items": Out(stream.Signature(drain_item(config))),
            "read_en": Out(1),
            "read_bank": Out(1),
            "read_row": Out(row_shape(config)),
            "take": Out(1),
            "sums": In(data.ArrayLayout(signed(32), config.array.group)),
        }
        if config.array.gated:
            members |= {
                "departed": In(config.array.group),
                "record_en": Out(1),
                "record": In(task_record(config)),
                "task_rows": In(bits_for(config.array.rows)),
                "listed": Out(listed_shape(config)),
                "listed0": In(gated_position_shape(config)),
                "listed1": In(gated_position_shape(config)),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = RowCounter(self._config)
        command = Signal(drain_command(self._config), reset_less=True)
        running, fetching, fetched = (Signal(name=n) for n in ("running", "fetching", "fetched"))
        starts = Signal()
        m.d.comb += [self.command.ready.eq(~running), starts.eq(self.command.valid & ~running)]
        with m.If(starts):
            m.d.sync += [command.eq(self.command.payload), running.eq(1), fetching.eq(1)]

        # Lanes of the row that are still to leave: those that hold something, then what is left.
        holds, left = (Signal(self._config.array.group, name=n) for n in ("holds", "left"))
        others = Cat(lane & left[:n].any() for n, lane in enumerate(left))  # all but the lowest
        few, none = Signal(init=1), Signal(init=1)  # at most one is left, and none
        # What the row that has been fetched holds: of all sums at once, otherwise a cycle later.
        known, at_once = Signal(), Signal()
        m.d.comb += [
            self.take.eq(known & few & (self.items.ready | none)),
            self.read_en.eq(fetching & rows.some & (~fetched | self.take)),
            self.read_bank.eq(command.bank),
            self.read_row.eq(rows.row),
            rows.advance.eq(self.read_en),
        ]
        kept = Mux(self.items.ready, others, left)
        m.d.sync += [
            left.eq(Mux(self.take, holds, kept)),
            few.eq(Mux(self.take, _few(holds), Mux(self.items.ready, _few(others), few))),
            none.eq(Mux(self.take, ~holds.any(), Mux(self.items.ready, ~others.any(), none))),
        ]
        with m.If(self.read_en):
            m.d.sync += [fetched.eq(1), known.eq(at_once)]
        with m.Elif(self.take):
            m.d.sync += [fetched.eq(0), known.eq(0)]
        with m.Else():
            m.d.sync += known.eq(fetched)
        with m.If(fetching & ((self.read_en & rows.last) | ~rows.some)):
            m.d.sync += fetching.eq(0)

        item = self.items.payload
        ended = running & ~fetching & ~fetched & none
        m.d.comb += [
            self.items.valid.eq(~none | ended),
            item.some.eq(~none),
            item.last.eq(ended),
        ]
        with m.If(ended & self.items.ready):
            m.d.sync += running.eq(0)

        self._describe_rows(m, command, rows, left)
        given = self.command.payload
        slots, positions = given.slots, given.positions
        if self._config.array.gated:
            # A task row counts as a position with one row.
            of_tasks = given.source == TASKS
            slots, positions = Mux(of_tasks, 1, slots), Mux(of_tasks, self.task_rows, positions)
            tasks = Signal()  # as in the command, for those in a hurry
            with m.If(starts):
                m.d.sync += [at_once.eq(given.source == ALL), tasks.eq(of_tasks)]
            self._describe_either(m, command, tasks, left, holds, starts)
        else:
            m.d.comb += [holds.eq(-1), at_once.eq(1), item.full.eq(1)]
        marks = Signal.like(rows.marks, reset_less=True)
        own_positions = Signal.like(rows.positions, reset_less=True)
        with m.If(starts):
            m.d.sync += own_positions.eq(positions)
            m.d.sync += [marks[name].eq(mark) for name, mark in marks_of(slots, positions).items()]
        m.d.comb += [rows.positions.eq(own_positions), rows.marks.eq(marks)]
        return m

    def _describe_rows(self, m, command, rows, left):
        """What the items of a row of all sums are: the lowest lane that is left goes next."""
        item = self.items.payload
        engines = self._config.array.group
        fetched_column, column = (
            Signal.like(rows.column, name=n) for n in ("ahead_column", "column")
        )
        fetched_position, position = (
            Signal.like(rows.position, name=n) for n in ("ahead_position", "position")
        )
        with m.If(self.read_en):
            m.d.sync += [fetched_column.eq(rows.column), fetched_position.eq(rows.position)]
        with m.If(self.take):
            m.d.sync += [column.eq(fetched_column), position.eq(fetched_position)]
        m.d.comb += item.position.eq(position)
        lowest = Signal(ceil_log2(engines))
        for lane in reversed(range(engines)):
            with m.If(left[lane]):
                m.d.comb += lowest.eq(lane)
        m.d.comb += [
            item.sum.eq(_picked(lowest, list(self.sums))),
            item.slot.eq(Cat(lowest, column)),
        ]

    def _describe_either(self, m, command, tasks, left, holds, starts):
        """The same, if rows may be rows of ``tasks`` or have sums that have left as tasks."""
        config = self._config
        engines = config.array.group
        item = self.items.payload
        record, next_record = (
            Signal(task_record(config), name=n, reset_less=True) for n in ("record", "next_record")
        )
        m.d.comb += [
            self.record_en.eq(self.read_en & tasks),
            item.full.eq(command.source != FINISHED),
        ]
        # Memories answer late in a cycle.
        m.d.sync += next_record.eq(self.record)
        with m.If(self.take):
            m.d.sync += record.eq(next_record)
        m.d.comb += holds.eq(-1)
        with m.If(command.source == FINISHED):
            m.d.comb += holds.eq(~self.departed)
        with m.If(tasks):
            m.d.comb += holds.eq(Cat(lane <= next_record.last for lane in range(engines)))

        # Positions of the row: the list moves on by those that the row before has finished.
        number = Signal(listed_shape(config))
        moved = Signal()  # there is a row before
        first, second = (
            Signal(gated_position_shape(config), name=n, reset_less=True)
            for n in ("first", "second")
        )
        m.d.comb += self.listed.eq(number + Mux(moved, record.pops, 0))
        with m.If(self.take):
            m.d.sync += [
                number.eq(self.listed),
                moved.eq(1),
                first.eq(self.listed0),
                second.eq(self.listed1),
            ]
        with m.If(starts):
            m.d.sync += [number.eq(0), moved.eq(0)]
        with m.If(tasks):
            m.d.comb += item.position.eq(first)
            for lane in reversed(range(engines)):
                with m.If(left[lane]):
                    m.d.comb += [
                        item.slot.eq(record.slots[lane]),
                        item.position.eq(Mux(lane > record.last0, second, first)),
                    ]
