"""From commands to rows: what a group does next, and whether it may."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...config import Config
from ..commands import group_command, row_shape
from .buffer import StreamBuffer
from .chunks import ChunkTracker
from .interlock import Interlock
from .layouts import operand_choice, row_operation, task_record
from .row_source import RowSource

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
    operation : Out(row_operation)
        What is issued in this cycle; all zero if nothing is.
    choice : Out(operand_choice), weight_bank : Out(1)
        The operands of the row, if there is ``operation.some``.
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
            "operation": Out(row_operation(config)),
            "choice": Out(operand_choice(config)),
            "weight_bank": Out(1),
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
        gated = self._config.array.gated
        m.submodules.commands = commands = StreamBuffer(group_command(self._config))
        m.submodules.chunks = chunks = ChunkTracker(gated=gated)
        m.submodules.source = source = RowSource(self._config)
        m.submodules.interlock = interlock = Interlock(
            len(source.offer.row) + 1, distance=self._distance
        )
        wiring.connect(m, wiring.flipped(self.command), commands.i)
        command, offer = commands.o.payload, source.offer

        enough = Signal()  # vectors
        free, ready, issue, starts = (Signal(name=n) for n in ("free", "ready", "issue", "starts"))
        m.d.comb += [
            source.active.eq(commands.o.valid),
            source.command.eq(command),
            source.advance.eq(issue),
            chunks.loaded.eq(self.chunk_loaded),
            chunks.finished.eq(issue & offer.last),
            self.weight_bank.eq(chunks.weight_bank),
            interlock.row.eq(Cat(offer.row, command.bank)),
            interlock.issue.eq(starts),
            enough.eq(self.level.any()),
            ready.eq(source.valid & chunks.available & free),
            issue.eq(ready & (~offer.some | (enough & ~interlock.conflict))),
            starts.eq(issue & offer.some),
            self.choice.eq(offer.choice),
        ]
        with m.If(starts):
            m.d.comb += self.pops.eq(offer.pops)
        m.d.sync += [
            self.busy.eq(starts | ~free),
            self.unloaded.eq(source.valid & ~chunks.available),
            self.starved.eq(ready & offer.some & ~enough),
            self.interlocked.eq(ready & offer.some & enough & interlock.conflict),
        ]
        self._count_rest(m, starts, free)
        first_chunk, last_chunk, begins = self._count_chunks(m, commands, issue, chunks.finished)

        operation = self.operation
        with m.If(issue):
            m.d.comb += [
                operation.some.eq(offer.some),
                operation.row.eq(offer.row),
                operation.bank.eq(command.bank),
                operation.first.eq(command.first & first_chunk),
                operation.release.eq(offer.last),
                operation.end.eq(offer.last & last_chunk),
            ]
            if gated:
                m.d.comb += [
                    operation.gate.eq(command.gate & last_chunk),
                    operation.thresholds.eq(chunks.threshold_bank),
                    operation.clear.eq(command.clear_counts & begins),
                    operation.completes.eq(offer.completes),
                ]
        if gated:
            self._await_gate(m, commands, chunks, source, enough)
        return m

    def _count_rest(self, m, starts, free):
        """``free``: the last row was started at least ``interval`` cycles ago."""
        if self._interval == 1:
            m.d.comb += free.eq(1)
            return
        resting = Signal(range(self._interval))
        m.d.comb += free.eq(~resting.any())
        with m.If(starts):
            m.d.sync += resting.eq(self._interval - 1)
        with m.Elif(~free):
            m.d.sync += resting.eq(resting - 1)

    def _count_chunks(self, m, commands, issue, finished):
        """Where in its command the offered row is; a command goes with its last row."""
        command = commands.o.payload
        chunk = Signal.like(command.chunks, init=1)  # number of the current chunk, from 1
        first_chunk = Signal(init=1)
        last_chunk = Signal()
        begins = Signal(init=1)  # nothing of the command has been issued
        m.d.comb += [
            last_chunk.eq(chunk == command.chunks),
            commands.o.ready.eq(finished & last_chunk),
        ]
        with m.If(finished):
            m.d.sync += [chunk.eq(Mux(last_chunk, 1, chunk + 1)), first_chunk.eq(last_chunk)]
        with m.If(issue):
            m.d.sync += begins.eq(commands.o.ready)
        return first_chunk, last_chunk, begins

    def _await_gate(self, m, commands, chunks, source, enough):
        """What only a gated array has: gates, tasks, thresholds."""
        gating = Signal()  # a gate has been issued and is not done
        with m.If(self.operation.gate & self.operation.end):
            m.d.sync += gating.eq(1)
        with m.Elif(self.gate_done):
            m.d.sync += gating.eq(0)
        m.d.comb += [
            source.active.eq(commands.o.valid & ~gating),
            enough.eq(Mux(source.offer.straddles, self.level >= 2, self.level.any())),
            source.task_rows.eq(self.task_rows),
            self.store_en.eq(source.store_en),
            self.store_row.eq(source.store_row),
            source.store_record.eq(self.store_record),
            chunks.threshold_written.eq(self.threshold_written),
            self.threshold_write_bank.eq(chunks.threshold_write_bank),
        ]
