"""The rows of a command, of whatever kind."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from ...config import Config
from ..commands import group_command, mode_field, row_shape
from .layouts import row_offer, task_record, walk_marks
from .row_counter import RowCounter
from .task_rows import TaskRows

__all__ = ["RowSource"]


class RowSource(wiring.Component):
    """Offers the rows of a chunk, and again for the next chunk, one a cycle.

    A dense command walks positions and columns, a conditional one the task rows, which are fetched
    ahead. A chunk without rows is one offer that says so.

    Members
    -------
    active : In(1), command : In(group_command), marks : In(walk_marks)
        The command that runs, and its dense walk; stable while ``active``.
    valid : Out(1), offer : Out(row_offer)
        The next row.
    advance, room : In(1)
        It is taken; it would be, if it were there.
    task_rows : In, store_en : Out(1), store_row : Out, store_record : In(task_record)
        See :class:`TaskRows`, except that there may be none; stable from the cycle before
        ``active`` on. Gated only.
    """

    def __init__(self, config: Config):
        self._config = config
        members = {
            "active": In(1),
            "command": In(group_command(config)),
            "marks": In(walk_marks(config)),
            "valid": Out(1),
            "offer": Out(row_offer(config)),
            "advance": In(1),
            "room": In(1),
        }
        if config.array.gated:
            members |= {
                "task_rows": In(bits_for(config.array.rows)),
                "store_en": Out(1),
                "store_row": Out(row_shape(config)),
                "store_record": In(task_record(config)),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dense = dense = RowCounter(self._config)
        m.d.comb += [
            dense.positions.eq(self.command.positions),
            dense.marks.eq(self.marks),
            dense.advance.eq(self.advance),
            self.valid.eq(self.active),
            self.offer.some.eq(dense.some),
            self.offer.last.eq(dense.last),
            self.offer.row.eq(dense.row),
            self.offer.pops.eq(dense.completes),
            self.offer.choice.starts.eq(-1),
            self.offer.choice.signed.eq(self.command.signed),
        ]
        if mode_field(self._config):
            m.d.comb += self.offer.choice.mode.eq(self.command.mode)
        if not self._config.array.gated:
            m.d.comb += self.offer.choice.column.eq(dense.column)
            return m

        m.d.comb += self.offer.completes.eq(dense.completes)
        for lane in range(self._config.array.group):
            slot = Cat(C(lane, ceil_log2(self._config.array.group)), dense.column)
            m.d.comb += self.offer.choice.slots[lane].eq(slot)
        self._offer_tasks(m, dense)
        return m

    def _offer_tasks(self, m, dense):
        """Over the dense row lies the task row, if the command is conditional."""
        m.submodules.tasks = tasks = TaskRows(self._config)
        some = Signal()
        m.d.sync += some.eq(self.task_rows.any())
        m.d.comb += [
            tasks.active.eq(self.active & self.command.conditional & some),
            tasks.rows.eq(self.task_rows),
            self.store_en.eq(tasks.store_en),
            self.store_row.eq(tasks.store_row),
            tasks.store_record.eq(self.store_record),
        ]
        offer, record = self.offer, tasks.record
        with m.If(self.command.conditional):
            m.d.comb += [
                dense.advance.eq(0),
                # Whether there is one at all would come late, and it knows.
                tasks.room.eq(self.room & some),
                self.valid.eq(self.active & (tasks.valid | ~some)),
                offer.some.eq(some),
                offer.last.eq(tasks.last | ~some),
                offer.row.eq(tasks.row),
                offer.pops.eq(record.pops),
                offer.straddles.eq(record.last0 < record.last),
                offer.choice.slots.eq(record.slots),
            ]
            for lane in range(self._config.array.group):
                m.d.comb += [
                    offer.choice.starts[lane].eq(lane <= record.last),
                    offer.choice.second[lane].eq(lane > record.last0),
                ]
