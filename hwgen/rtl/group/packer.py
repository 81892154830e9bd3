"""Deals the fired sums of a gate to task rows."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from ...config import Config
from ..unreset import unreset
from .compactor import Compactor
from .layouts import dealt_row, gate_row, lane_shape, task

__all__ = ["TaskPacker"]


class TaskPacker(wiring.Component):
    """Packs tasks into rows of D, in order; a row holds tasks of at most two positions.

    Up to D tasks of one position come in a cycle, and at most one row goes out. A row is closed
    only when tasks come that do not fit, because it is full or they are of a third position: then
    it is known how many of its positions have no more tasks, which is how many vectors may leave
    the queue with it. The end of the gate closes the last row.

    A row goes out four cycles after the tasks that closed it came in. As each row is closed by
    another row of sums, task row n is written after row n+1 of sums has been read, at least: the
    tasks never overtake the sums that they replace.

    Members
    -------
    gate : In(gate_row)
        Rows of sums in raster order.
    dealt_en : Out(1), dealt_bank : Out(1), dealt : Out(dealt_row)
        A row, and the bank it goes to: that of the sums it came from.
    done : Out(1)
        Strobe: all rows of the gate are written.
    task_rows : Out
        Number of rows of the last gate; changes with its last row.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "gate": In(gate_row(config)),
                "dealt_en": Out(1),
                "dealt_bank": Out(1),
                "dealt": Out(dealt_row(config)),
                "done": Out(1),
                "task_rows": Out(bits_for(config.array.rows)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.compactor = compactor = Compactor(self._config)
        m.d.comb += compactor.gate.eq(self.gate)
        ends, flush, flushed = (Signal(name=n) for n in ("ends", "flush", "flushed"))
        m.d.sync += [
            ends.eq(self.gate.end),
            flush.eq(ends),
            flushed.eq(flush),
            self.done.eq(flushed),
        ]
        with m.If(self.gate.some):
            m.d.sync += self.dealt_bank.eq(self.gate.bank)

        # What becomes of a row's tasks is decided while they are brought together.
        dealt = unreset(m, self.dealt)
        step = self._control(m, compactor.count, self.gate.some & self.gate.completes, ends)
        self._move(m, compactor.tasks, step, dealt)

        number = Signal.like(self.task_rows)
        m.d.sync += self.dealt_en.eq(step.closes)
        with m.If(step.closes):
            m.d.sync += [dealt.row.eq(number), number.eq(number + 1)]
        with m.If(flush):
            m.d.sync += [number.eq(0), self.task_rows.eq(number + step.closes)]
        return m

    def _control(self, m, count, completes, flush):
        """When a row is closed, and what its record says; by how much new tasks move up. The result
        comes from registers.
        """
        engines = self._config.array.group
        step = Signal(
            data.StructLayout(
                {
                    "closes": 1,
                    "shift": ceil_log2(engines),
                    "staged": bits_for(engines),
                    "last": lane_shape(self._config),
                    "last0": lane_shape(self._config),
                    "pops": 2,
                }
            )
        )
        staged = Signal(bits_for(engines))  # tasks of the row that is still open
        two = Signal()  # the open row has tasks of two positions …
        last0 = Signal(lane_shape(self._config))  # … those of the first up to this lane
        same = Signal()  # the position of the newest task may still get more

        comes, other, third, second, closes = (
            Signal(name=n) for n in ("comes", "other", "third", "second", "closes")
        )
        total = Signal(bits_for(2 * engines))
        m.d.comb += [
            comes.eq(count.any()),
            other.eq(~same & staged.any()),
            third.eq(other & two),
            second.eq(other & ~two & (staged != engines)),
            total.eq(staged + count),
            closes.eq((comes & (third | (total > engines))) | (flush & staged.any())),
        ]
        boundary = Signal.like(last0)  # last0 of the open row with the new tasks in it
        m.d.comb += boundary.eq(engines - 1)
        with m.If(two):
            m.d.comb += boundary.eq(last0)
        with m.Elif(second & comes):
            m.d.comb += boundary.eq(staged - 1)

        m.d.sync += [
            step.closes.eq(closes),
            step.shift.eq(Mux(third, 0, staged)),
            step.staged.eq(staged),
            step.last.eq(Mux(third | flush, staged - 1, engines - 1)),
            step.last0.eq(boundary),
            step.pops.eq(Mux(third, 2, two | other)),
        ]
        with m.If(closes):
            m.d.sync += [
                staged.eq(Mux(third, count, total - engines)),
                two.eq(0),
            ]
            with m.If(flush):
                m.d.sync += step.pops.eq(Mux(two, 2, 1))
        with m.Elif(comes):
            m.d.sync += [staged.eq(total), two.eq(two | second), last0.eq(boundary)]
        with m.If(flush):
            m.d.sync += [staged.eq(0), two.eq(0)]

        with m.If(completes):
            m.d.sync += same.eq(0)
        with m.Elif(comes):
            m.d.sync += same.eq(1)
        return step

    def _move(self, m, tasks, step, dealt):
        """The open row, and the closed one on its way out.

        New tasks are rotated to the first free lane, so that those which fit into the open row and
        those which begin the next are all in their places.
        """
        engines = self._config.array.group
        rotated = [tasks[lane] for lane in range(engines)]
        for bit in range(ceil_log2(engines)):
            by = 1 << bit
            stage = []
            for lane in range(engines):
                chosen = Signal(task(self._config), name=f"rotated{bit}_{lane}")
                m.d.comb += chosen.eq(
                    Mux(step.shift[bit], rotated[(lane - by) % engines], rotated[lane])
                )
                stage.append(chosen)
            rotated = stage

        record = dealt.record
        with m.If(step.closes):
            m.d.sync += [
                record.last.eq(step.last),
                record.last0.eq(step.last0),
                record.pops.eq(step.pops),
            ]
        open_row = Signal(data.ArrayLayout(task(self._config), engines), reset_less=True)
        for lane in range(engines):
            joined = Signal(task(self._config), name=f"joined{lane}")
            m.d.comb += joined.eq(Mux(lane < step.staged, open_row[lane], rotated[lane]))
            m.d.sync += open_row[lane].eq(Mux(step.closes, rotated[lane], joined))
            with m.If(step.closes):
                m.d.sync += [
                    dealt.sums[lane].eq(joined.sum),
                    record.slots[lane].eq(joined.slot),
                ]
