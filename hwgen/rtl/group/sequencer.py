"""From commands to rows: what a group does next, and whether it may."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from ...config import Config
from ..commands import group_command, row_shape
from .buffer import StreamBuffer
from .chunks import ChunkTracker
from .interlock import Interlock
from .layouts import operand_choice, row_operation, task_record
from .row_counter import RowCounter
from .task_rows import TaskRows

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Issues the rows of the commands, chunk after chunk, without a bubble where data allow.

    A row is issued when its chunk's weights are loaded, its vectors are at the head of the queue,
    the MAC units are free (``interval``) and no older row with its number is under way
    (:class:`Interlock`). A chunk without rows (no position, or no task fired) is issued as one
    operation without a row, so that its weights are released and its command ends like any other.
    A command behind a gate begins when the gate is done.

    Parameters
    ----------
    config : Config
    interval : int
        Cycles from a row to the next that the MAC units need.
    distance : int
        As in :class:`Interlock`.

    Members
    -------
    command : In(stream of group_command)
    chunk_loaded : In(1)
        See :class:`ChunkTracker`.
    level : In, pops : Out
        Vectors in the queue, and how many of them leave it with the row issued.
    issue : Out(1)
        ``operation`` and ``choice`` are issued in this cycle.
    operation : Out(row_operation)
        All zero in other cycles.
    choice : Out(operand_choice)
    busy, starved, unloaded, interlocked : Out(1)
        Why there was or was not a row in the last cycle: MAC units at work; no vector; no weights;
        an older row under way.
    threshold_written : In(1), threshold_write_bank : Out(1)
        See :class:`ChunkTracker`. This and the following: gated only.
    gate_done : In(1)
        Strobe: all that the gate deals is in the task store.
    task_rows : In
        Task rows in the store, from ``gate_done`` until the end of the next gate.
    store_en : Out(1), store_row : Out, store_record : In(task_record)
        Read port of the task store.
    """

    def __init__(self, config: Config, *, interval: int, distance: int):
        self._config = config
        self._interval = interval
        self._distance = distance
        heads = 2 if config.array.gated else 1
        members = {
            "command": In(stream.Signature(group_command(config))),
            "chunk_loaded": In(1),
            "level": In(range(config.array.queue + 1)),
            "pops": Out(range(heads + 1)),
            "issue": Out(1),
            "operation": Out(row_operation(config)),
            "choice": Out(operand_choice(config)),
            "busy": Out(1),
            "starved": Out(1),
            "unloaded": Out(1),
            "interlocked": Out(1),
        }
        if config.array.gated:
            members |= {
                "threshold_written": In(1),
                "threshold_write_bank": Out(1),
                "gate_done": In(1),
                "task_rows": In(bits_for(config.array.rows)),
                "store_en": Out(1),
                "store_row": Out(row_shape(config)),
                "store_record": In(task_record(config)),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.commands = commands = StreamBuffer(group_command(self._config))
        m.submodules.chunks = chunks = ChunkTracker(gated=self._config.array.gated)
        m.submodules.dense = dense = RowCounter(self._config)
        wiring.connect(m, wiring.flipped(self.command), commands.i)
        command = commands.o.payload
        m.d.comb += [
            chunks.loaded.eq(self.chunk_loaded),
            dense.slots.eq(command.slots),
            dense.positions.eq(command.positions),
        ]

        # The row that would be next, whatever kind it is.
        offered, some, last, enough = (
            Signal(name=n) for n in ("offered", "some", "last", "enough")
        )
        row = Signal(row_shape(self._config))
        if self._config.array.gated:
            self._offer_either(m, commands, chunks, dense, offered, some, last, enough, row)
        else:
            m.d.comb += [
                offered.eq(commands.o.valid),
                some.eq(dense.some),
                last.eq(dense.last),
                enough.eq(self.level.any()),
                row.eq(dense.row),
                self.pops.eq(self.issue & dense.some & dense.completes),
                dense.advance.eq(self.issue),
                self.choice.starts.eq(-1),
                self.choice.column.eq(dense.column),
            ]

        # Whether it may go.
        m.submodules.interlock = interlock = Interlock(len(row) + 1, distance=self._distance)
        m.d.comb += [
            interlock.row.eq(Cat(row, command.bank)),
            interlock.issue.eq(self.issue & some),
        ]
        free = self._rest(m, self.issue & some)
        ready = Signal()
        m.d.comb += [
            ready.eq(offered & chunks.available & free),
            self.issue.eq(ready & (~some | (enough & ~interlock.conflict))),
        ]
        m.d.sync += [
            self.busy.eq((self.issue & some) | ~free),
            self.unloaded.eq(offered & ~chunks.available),
            self.starved.eq(ready & some & ~enough),
            self.interlocked.eq(ready & some & enough & interlock.conflict),
        ]

        # Chunk and command.
        chunk = Signal.like(command.chunks, init=1)  # number of the current chunk, from 1
        first_chunk = Signal(init=1)
        last_chunk = Signal()
        m.d.comb += [
            last_chunk.eq(chunk == command.chunks),
            chunks.finished.eq(self.issue & last),
            commands.o.ready.eq(chunks.finished & last_chunk),
        ]
        begins = Signal(init=1)  # nothing of the command has been issued
        with m.If(self.issue):
            m.d.sync += begins.eq(commands.o.ready)
        with m.If(chunks.finished):
            m.d.sync += [
                chunk.eq(Mux(last_chunk, 1, chunk + 1)),
                first_chunk.eq(last_chunk),
            ]

        m.d.comb += [
            self.choice.signed.eq(command.signed),
            self.choice.weight_bank.eq(chunks.weight_bank),
        ]
        with m.If(self.issue):
            m.d.comb += [
                self.operation.some.eq(some),
                self.operation.row.eq(row),
                self.operation.bank.eq(command.bank),
                self.operation.first.eq(command.first & first_chunk),
                self.operation.release.eq(last),
                self.operation.end.eq(last & last_chunk),
            ]
            if self._config.array.gated:
                m.d.comb += [
                    self.operation.gate.eq(command.gate & last_chunk),
                    self.operation.thresholds.eq(chunks.threshold_bank),
                    self.operation.clear.eq(command.clear_counts & begins),
                    self.operation.completes.eq(dense.completes),
                ]
        return m

    def _rest(self, m, started):
        """A signal: the last row was started at least ``interval`` cycles ago."""
        if self._interval == 1:
            return Const(1)
        resting = Signal(range(self._interval))
        with m.If(started):
            m.d.sync += resting.eq(self._interval - 1)
        with m.Elif(resting.any()):
            m.d.sync += resting.eq(resting - 1)
        return ~resting.any()

    def _offer_either(self, m, commands, chunks, dense, offered, some, last, enough, row):
        """The next row of a dense or of a conditional command."""
        config = self._config
        command = commands.o.payload
        conditional = command.conditional
        m.submodules.tasks = tasks = TaskRows(config)
        m.d.comb += [
            chunks.threshold_written.eq(self.threshold_written),
            self.threshold_write_bank.eq(chunks.threshold_write_bank),
            self.store_en.eq(tasks.store_en),
            self.store_row.eq(tasks.store_row),
            tasks.store_record.eq(self.store_record),
        ]

        gating = Signal()  # a gate has been issued and is not done
        with m.If(self.operation.gate & self.operation.end):
            m.d.sync += gating.eq(1)
        with m.Elif(self.gate_done):
            m.d.sync += gating.eq(0)

        going = Signal()
        any_tasks = Signal()
        m.d.comb += [
            going.eq(commands.o.valid & ~gating),
            any_tasks.eq(self.task_rows.any()),
            tasks.active.eq(going & conditional & any_tasks),
            tasks.rows.eq(self.task_rows),
            offered.eq(going & (~conditional | ~any_tasks | tasks.valid)),
            some.eq(Mux(conditional, any_tasks, dense.some)),
            last.eq(Mux(conditional, ~any_tasks | tasks.last, dense.last)),
            row.eq(Mux(conditional, tasks.row, dense.row)),
            dense.advance.eq(self.issue & ~conditional),
            tasks.advance.eq(self.issue & conditional & any_tasks),
        ]

        record = tasks.record
        straddles = conditional & (record.last0 < record.last)  # lanes of two positions
        m.d.comb += enough.eq(Mux(straddles, self.level >= 2, self.level.any()))
        with m.If(self.issue & some):
            m.d.comb += self.pops.eq(Mux(conditional, record.pops, dense.completes))
        for lane in range(config.array.group):
            own = Cat(C(lane, ceil_log2(config.array.group)), dense.column)
            m.d.comb += [
                self.choice.starts[lane].eq(~conditional | (lane <= record.last)),
                self.choice.second[lane].eq(conditional & (lane > record.last0)),
                self.choice.slots[lane].eq(Mux(conditional, record.slots[lane], own)),
            ]
        return m
