"""Whether the next row may go."""

from collections.abc import Sequence

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...config import Config
from ..commands import group_command, mode_field, row_shape
from ..mac.steps import by_mode
from ..skid import Skid
from .chunks import ChunkTracker
from .interlock import Interlock
from .layouts import operand_choice, planned_row, row_operation, task_record
from .planner import Planner

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Issues the rows of the commands, one a cycle where data and the MAC units allow.

    A row is issued when its chunk's weights are loaded, its vectors are at the head of the queue,
    the MAC units are free (the last row's ``steps`` are over) and no older row with its number is
    under way (:class:`Interlock`). A row goes on its way to the sums with its last step, so all are
    equally far behind it. In another mode than the one before, rows could so come closer than they
    were issued; the first one therefore waits until those before are ``distance`` ahead. A chunk
    without rows (no position, or no task fired) is issued as one operation without a row, so that
    its weights are released and its command ends like any other. The next row waits in a register,
    with all that can be known of it. While it waits the one behind it steps aside, so that the
    planner need not know in the same cycle whether a row is issued.

    Parameters
    ----------
    config : Config
    steps : sequence of int
        Cycles that a row takes the MAC units, for each of their modes.
    distance : int
        As in :class:`Interlock`.

    Members
    -------
    command : In(stream of group_command)
        See :class:`Planner`.
    chunk_loaded : In(1)
        See :class:`ChunkTracker`.
    some, two : In(1), pops : Out
        There is a vector in the queue, there are two (gated only); how many leave it with the row
        issued.
    starts : Out(1)
        A row is issued in this cycle.
    choice : Out(operand_choice), weight_bank : Out(1)
        Its operands.
    trimmed : In, mode : Out
        The mode that suits the vector at the head of the queue, if vectors are trimmed; the mode of
        the row that is next, where there are several.
    operation : Out(row_operation)
        The row whose last step it is, or marks without a row; all zero if there is neither.
    busy, starved, unloaded, interlocked : Out(1)
        Why there was or was not a row in the last cycle: MAC units at work; no vector; no weights;
        an older row under way.
    gate_done, task_rows, store_en, store_row, store_record
        See :class:`Planner`. Gated only.
    """

    def __init__(self, config: Config, *, steps: Sequence[int], distance: int):
        self._config = config
        self._steps = steps
        self._distance = distance
        heads = 2 if config.array.gated else 1
        members = {
            "command": In(stream.Signature(group_command(config))),
            "chunk_loaded": In(1),
            "some": In(1),
            "pops": Out(range(heads + 1)),
            "starts": Out(1),
            "operation": Out(row_operation(config)),
            "choice": Out(operand_choice(config)),
            "weight_bank": Out(1),
            "busy": Out(1),
            "starved": Out(1),
            "unloaded": Out(1),
            "interlocked": Out(1),
        }
        if field := mode_field(config):
            members["mode"] = Out(field["mode"])
        if config.array.trim_planes:
            members["trimmed"] = In(field["mode"])
        if config.array.gated:
            members |= {
                "two": In(1),
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
        m.submodules.skid = skid = Skid(planned_row(self._config))
        coming, comes = skid.o.payload, Signal()

        there = Signal()
        enough = Signal()  # vectors
        free, ready, issue, conflict = (
            Signal(name=n) for n in ("free", "ready", "issue", "conflict")
        )
        starts = self.starts
        mode = None
        if mode_field(self._config):
            mode = self.mode
            trims = self._config.array.trim_planes
            m.d.comb += mode.eq(self.trimmed if trims else row.choice.mode)
        m.d.comb += [
            enough.eq(self.some),
            ready.eq(there & chunks.available & free),
            issue.eq(ready & (~operation.some | (enough & ~conflict))),
            starts.eq(issue & operation.some),
            planner.room.eq(skid.i.ready),
            planner.advance.eq(planner.valid & planner.room),
            skid.i.valid.eq(planner.valid),
            skid.i.payload.eq(planner.row),
            skid.o.ready.eq(~there | issue),
            comes.eq(skid.o.valid & skid.o.ready),
            interlock.row.eq(Cat(coming.operation.row, coming.operation.bank)),
            interlock.take.eq(comes),
            interlock.issue.eq(starts),
            chunks.loaded.eq(self.chunk_loaded),
            chunks.finished.eq(issue & operation.release),
            conflict.eq(interlock.conflict | self._overtakes(m, mode)),
        ]
        with m.If(comes):
            m.d.sync += [row.eq(coming), there.eq(1)]
        with m.Elif(issue):
            m.d.sync += there.eq(0)

        m.d.comb += [self.choice.eq(row.choice), self.weight_bank.eq(chunks.weight_bank)]
        with m.If(starts):
            m.d.comb += self.pops.eq(row.pops)
        m.d.sync += [
            self.busy.eq(starts | ~free),
            self.unloaded.eq(there & ~chunks.available),
            self.starved.eq(ready & operation.some & ~enough),
            self.interlocked.eq(ready & operation.some & enough & conflict),
        ]
        self._count_rest(m, row, mode, issue, free)

        if gated:
            with m.If(row.straddles):
                m.d.comb += enough.eq(self.two)
            m.d.comb += [
                planner.gate_done.eq(self.gate_done),
                planner.task_rows.eq(self.task_rows),
                planner.store_record.eq(self.store_record),
                self.store_en.eq(planner.store_en),
                self.store_row.eq(planner.store_row),
            ]
        return m

    def _count_rest(self, m, row, mode, issue, free):
        """``free``: no step of the last row is left. A row with several is held until the last."""
        operation = row.operation
        if max(self._steps) == 1:
            m.d.comb += free.eq(1)
            with m.If(issue):
                m.d.comb += self.operation.eq(operation)
            return
        resting = Signal(range(max(self._steps)))
        held = Signal.like(operation, reset_less=True)
        rest = by_mode(m, mode, [n - 1 for n in self._steps], "rest")
        m.d.comb += free.eq(~resting.any())
        with m.If(self.starts):
            m.d.sync += [resting.eq(rest), held.eq(operation)]
        with m.Elif(~free):
            m.d.sync += resting.eq(resting - 1)
        with m.If(issue & (~operation.some | (rest == 0))):
            m.d.comb += self.operation.eq(operation)
        with m.If(resting == 1):
            m.d.comb += self.operation.eq(held)

    def _overtakes(self, m, mode):
        """The next row is in another mode than the last, which has gone on too recently."""
        if mode is None:
            return Const(0)
        last = Signal.like(mode, name="last_mode")
        with m.If(self.starts):
            m.d.sync += last.eq(mode)
        gone = Signal(self._distance - 1)  # whether a row has gone one, two, … cycles ago
        m.d.sync += gone.eq(Cat(self.operation.some, gone))
        return (mode != last) & gone.any()
