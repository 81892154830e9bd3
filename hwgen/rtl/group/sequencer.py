"""Whether the next row may go."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...config import Config
from ..commands import group_command, row_shape
from .chunks import ChunkTracker
from .interlock import Interlock
from .layouts import operand_choice, planned_row, row_operation, task_record
from .planner import Planner

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Issues the rows of the commands, one a cycle where data and ``interval`` allow.

    A row is issued when its chunk's weights are loaded, its vectors are at the head of the queue,
    the MAC units are free (``interval``) and no older row with its number is under way
    (:class:`Interlock`). A chunk without rows (no position, or no task fired) is issued as one
    operation without a row, so that its weights are released and its command ends like any other.
    The next row waits in a register, with all that can be known of it.

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
        See :class:`Planner`.
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
    gate_done, task_rows, store_en, store_row, store_record
        See :class:`Planner`. Gated only.
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
        m.submodules.planner = planner = Planner(self._config)
        m.submodules.chunks = chunks = ChunkTracker()
        row = Signal(planned_row(self._config), reset_less=True)  # the one to be issued next
        operation = row.operation
        m.submodules.interlock = interlock = Interlock(
            len(operation.row) + 1, distance=self._distance
        )
        wiring.connect(m, wiring.flipped(self.command), planner.command)

        there = Signal()
        enough = Signal()  # vectors
        free, ready, issue, starts = (Signal(name=n) for n in ("free", "ready", "issue", "starts"))
        m.d.comb += [
            enough.eq(self.level.any()),
            ready.eq(there & chunks.available & free),
            issue.eq(ready & (~operation.some | (enough & ~interlock.conflict))),
            starts.eq(issue & operation.some),
            planner.advance.eq(planner.valid & (~there | issue)),
            interlock.row.eq(Cat(planner.row.operation.row, planner.row.operation.bank)),
            interlock.take.eq(planner.advance),
            interlock.issue.eq(starts),
            chunks.loaded.eq(self.chunk_loaded),
            chunks.finished.eq(issue & operation.release),
        ]
        with m.If(planner.advance):
            m.d.sync += [row.eq(planner.row), there.eq(1)]
        with m.Elif(issue):
            m.d.sync += there.eq(0)

        m.d.comb += [self.choice.eq(row.choice), self.weight_bank.eq(chunks.weight_bank)]
        with m.If(issue):
            m.d.comb += self.operation.eq(operation)
        with m.If(starts):
            m.d.comb += self.pops.eq(row.pops)
        m.d.sync += [
            self.busy.eq(starts | ~free),
            self.unloaded.eq(there & ~chunks.available),
            self.starved.eq(ready & operation.some & ~enough),
            self.interlocked.eq(ready & operation.some & enough & interlock.conflict),
        ]
        self._count_rest(m, starts, free)

        if gated:
            with m.If(row.straddles):
                m.d.comb += enough.eq(self.level >= 2)
            m.d.comb += [
                planner.gate_done.eq(self.gate_done),
                planner.task_rows.eq(self.task_rows),
                planner.store_record.eq(self.store_record),
                self.store_en.eq(planner.store_en),
                self.store_row.eq(planner.store_row),
            ]
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
