"""From commands to rows: what comes next."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...config import Config
from ..commands import group_command, row_shape
from ..mac import shifts_sums
from .buffer import StreamBuffer
from .layouts import marks_of, planned_row, task_record, walk_marks
from .row_source import RowSource

__all__ = ["Planner"]


class Planner(wiring.Component):
    """Offers the rows of the commands in order, chunk after chunk, without a bubble.

    A command behind a gate begins when the gate is done.

    Members
    -------
    command : In(stream of group_command)
    valid : Out(1), row : Out(planned_row)
        The row that comes next. It may go away only with ``advance``.
    advance, room : In(1)
        It is taken; it would be, if it were there.
    gate_done : In(1)
        Strobe: all that the gate deals is in the task store. This and the following: gated only.
    task_rows : In, store_en : Out(1), store_row : Out, store_record : In(task_record)
        See :class:`RowSource`; ``task_rows`` stays from ``gate_done`` until the end of the next
        gate.
    """

    def __init__(self, config: Config):
        self._config = config
        members = {
            "command": In(stream.Signature(group_command(config))),
            "valid": Out(1),
            "row": Out(planned_row(config)),
            "advance": In(1),
            "room": In(1),
        }
        if config.array.gated:
            members |= {
                "gate_done": In(1),
                "task_rows": In(bits_for(config.array.rows)),
                "store_en": Out(1),
                "store_row": Out(row_shape(config)),
                "store_record": In(task_record(config)),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        # With each command goes what would otherwise be compared when it begins.
        commands = StreamBuffer(
            data.StructLayout(
                {
                    "command": group_command(self._config),
                    "marks": walk_marks(self._config),
                    "one_chunk": 1,
                }
            )
        )
        m.submodules.commands = commands
        m.submodules.source = source = RowSource(self._config)
        given, comes = self.command.payload, commands.i.payload
        command, offer = commands.o.payload.command, source.offer
        m.d.comb += [
            commands.i.valid.eq(self.command.valid),
            self.command.ready.eq(commands.i.ready),
            comes.command.eq(given),
            *(
                comes.marks[name].eq(mark)
                for name, mark in marks_of(given.slots, given.positions).items()
            ),
            comes.one_chunk.eq(given.chunks == 1),
            source.active.eq(commands.o.valid),
            source.command.eq(command),
            source.marks.eq(commands.o.payload.marks),
            source.advance.eq(self.advance),
            source.room.eq(self.room),
            self.valid.eq(source.valid),
        ]

        # Where in its command the row is. A command goes with its last row.
        left = Signal.like(command.chunks)  # chunks from this one on, unless it is the first
        first_chunk, begins = Signal(init=1), Signal(init=1)
        last_chunk, final, finished = Signal(), Signal(), Signal()
        ends, leaves = Signal(), Signal()  # with this row: its chunk, and the command
        m.d.comb += [
            last_chunk.eq(Mux(first_chunk, commands.o.payload.one_chunk, final)),
            ends.eq(self.valid & offer.last),
            leaves.eq(ends & last_chunk),
            # Whether there is room comes last.
            finished.eq(ends & self.room),
            commands.o.ready.eq(leaves & self.room),
        ]
        with m.If(finished):
            more = Mux(first_chunk, command.chunks, left)
            m.d.sync += [left.eq(more - 1), final.eq(more == 2), first_chunk.eq(last_chunk)]
        with m.If(self.advance):
            m.d.sync += begins.eq(commands.o.ready)

        operation = self.row.operation
        m.d.comb += [
            operation.some.eq(offer.some),
            operation.row.eq(offer.row),
            operation.bank.eq(command.bank),
            operation.first.eq(command.first & first_chunk),
            operation.release.eq(offer.last),
            operation.end.eq(offer.last & last_chunk),
            self.row.choice.eq(offer.choice),
            self.row.pops.eq(offer.pops),
        ]
        if shifts_sums(self._config):
            m.d.comb += operation.sum_shift.eq(command.sum_shift)
        if not self._config.array.gated:
            return m

        gating = Signal()  # the end of a gate has been taken, and the gate is not done
        with m.If(self.advance & operation.gate & operation.end):
            m.d.sync += gating.eq(1)
        with m.Elif(self.gate_done):
            m.d.sync += gating.eq(0)
        m.d.comb += [
            operation.gate.eq(command.gate & last_chunk),
            operation.clear.eq(command.clear_counts & begins),
            operation.completes.eq(offer.completes),
            self.row.straddles.eq(offer.straddles),
            source.active.eq(commands.o.valid & ~gating),
            source.task_rows.eq(self.task_rows),
            self.store_en.eq(source.store_en),
            self.store_row.eq(source.store_row),
            source.store_record.eq(self.store_record),
        ]
        return m
