"""From rows of sums to single sums on their way out."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from ...config import Config
from ..commands import (
    drain_command,
    drain_item,
    position_shape,
    row_shape,
    slot_shape,
)
from .layouts import gated_position_shape, listed_shape, task_record
from .row_counter import RowCounter

__all__ = ["DrainReader"]

ALL, FINISHED, TASKS = range(3)


class DrainReader(wiring.Component):
    """Reads the rows that a drain command names and sends their sums one by one, in order.

    Sums of a row leave by ascending lane. One sum a cycle, as long as rows hold at least one on
    average: a row is fetched while the one before it leaves. After the last sum comes an item
    without one that is marked ``last``, also if there is no sum at all. The next command is
    accepted after that.

    Members
    -------
    command : In(stream of drain_command)
    items : Out(stream of drain_item)
        ``full`` tells the path: 0 for finished sums (source 1), 1 for all others.
    read_en, read_bank : Out(1), read_row : Out, sums : In(array of D)
        Read port of the accumulators, latency 1, held.
    decisions_en : Out(1), decisions : In(D)
        Which sums of ``read_row`` have become tasks; latency 1, held. This and the following:
        gated only.
    record_en : Out(1), record : In(task_record)
        What the task store knows of ``read_row``; latency 1, held.
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
            "sums": In(data.ArrayLayout(signed(32), config.array.group)),
        }
        if config.array.gated:
            members |= {
                "decisions_en": Out(1),
                "decisions": In(config.array.group),
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
        left = Signal(self._config.array.group)  # lanes of the row that are still to leave
        wanted = Signal.like(left)  # the same for the row that has been fetched

        m.d.comb += self.command.ready.eq(~running)
        with m.If(self.command.valid & ~running):
            m.d.sync += [command.eq(self.command.payload), running.eq(1), fetching.eq(1)]

        # A row's content stays in the memories' output registers until the row before it is gone.
        taken = Signal()
        moves = Signal()
        loads = Signal()
        m.d.comb += [
            taken.eq(left.any() & self.items.ready),
            loads.eq(fetched & (~left.any() | (taken & ~(left & (left - 1)).any()))),
            moves.eq(loads | (fetched & ~wanted.any())),
            self.read_en.eq(fetching & rows.some & (~fetched | moves)),
            self.read_bank.eq(command.bank),
            self.read_row.eq(rows.row),
            rows.advance.eq(self.read_en),
        ]
        with m.If(self.read_en):
            m.d.sync += fetched.eq(1)
        with m.Elif(moves):
            m.d.sync += fetched.eq(0)
        with m.If(fetching & ((self.read_en & rows.last) | ~rows.some)):
            m.d.sync += fetching.eq(0)

        with m.If(loads):
            m.d.sync += left.eq(wanted)
        with m.Elif(taken):
            m.d.sync += left.eq(left & (left - 1))

        self._send(m, command, rows, left, wanted, loads, moves)
        ended = running & ~fetching & ~fetched & ~left.any()
        m.d.comb += [
            self.items.valid.eq(left.any() | ended),
            self.items.payload.some.eq(left.any()),
            self.items.payload.last.eq(ended),
        ]
        with m.If(ended & self.items.ready):
            m.d.sync += running.eq(0)
        return m

    def _send(self, m, command, rows, left, wanted, loads, moves):
        """What belongs to a row travels with it: sums, slots, positions."""
        config = self._config
        engines = config.array.group
        item = self.items.payload
        column = Signal.like(rows.column)
        position = Signal.like(rows.position)
        with m.If(self.read_en):
            m.d.sync += [column.eq(rows.column), position.eq(rows.position)]

        sums = Signal(data.ArrayLayout(signed(32), engines), reset_less=True)
        slots = Signal(data.ArrayLayout(slot_shape(config), engines), reset_less=True)
        first = Signal(position_shape(config), reset_less=True)
        own = [Cat(C(lane, ceil_log2(engines)), column) for lane in range(engines)]
        with m.If(loads):
            m.d.sync += [sums.eq(self.sums), first.eq(position)]
            m.d.sync += [slots[lane].eq(own[lane]) for lane in range(engines)]
        for lane in reversed(range(engines)):
            with m.If(left[lane]):
                m.d.comb += [item.sum.eq(sums[lane]), item.slot.eq(slots[lane])]
        m.d.comb += item.position.eq(first)

        if not config.array.gated:
            m.d.comb += [
                rows.slots.eq(command.slots),
                rows.positions.eq(command.positions),
                wanted.eq(-1),
                item.full.eq(1),
            ]
            return

        # A task row counts as a position with one row.
        tasks = command.source == TASKS
        record = self.record
        m.d.comb += [
            rows.slots.eq(Mux(tasks, 1, command.slots)),
            rows.positions.eq(Mux(tasks, self.task_rows, command.positions)),
            self.decisions_en.eq(self.read_en & (command.source == FINISHED)),
            self.record_en.eq(self.read_en & tasks),
            item.full.eq(command.source != FINISHED),
        ]
        with m.Switch(command.source):
            with m.Case(FINISHED):
                m.d.comb += wanted.eq(~self.decisions)
            with m.Case(TASKS):
                m.d.comb += wanted.eq(Cat(lane <= record.last for lane in range(engines)))
            with m.Default():
                m.d.comb += wanted.eq(-1)

        second = Signal(gated_position_shape(config), reset_less=True)
        seconds = Signal(engines, reset_less=True)
        with m.If(loads & tasks):
            m.d.sync += [
                slots.eq(record.slots),
                first.eq(self.listed0),
                second.eq(self.listed1),
                seconds.eq(Cat(lane > record.last0 for lane in range(engines))),
            ]
        with m.If(loads & ~tasks):
            m.d.sync += seconds.eq(0)
        with m.If(((left & -left) & seconds).any()):
            m.d.comb += item.position.eq(second)
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += self.listed.eq(0)
        with m.Elif(moves):
            m.d.sync += self.listed.eq(self.listed + record.pops)
