"""What is remembered of the tasks, besides their sums."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ...memory import RAM
from ..commands import row_shape
from .layouts import dealt_row, task_record
from .storage import storage_style

__all__ = ["TaskStore"]


class TaskStore(wiring.Component):
    """Records of the task rows, one set: the next gate overwrites it, when all has been read.

    Read by the conditional passes and by the drain of the tasks, which follow one another; should
    both read in one cycle, the drain gets wrong data.

    Members
    -------
    dealt_en : In(1), dealt : In(dealt_row)
        A row from the packer.
    pass_en, drain_en : In(1), pass_row, drain_row : In
        Row to read.
    record : Out(task_record)
        Its record, a cycle later, until the next read.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "dealt_en": In(1),
                "dealt": In(dealt_row(config)),
                "pass_en": In(1),
                "pass_row": In(row_shape(config)),
                "drain_en": In(1),
                "drain_row": In(row_shape(config)),
                "record": Out(task_record(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows = self._config.array.rows
        m.submodules.memory = memory = RAM(
            depth=rows,
            width=len(self.record.as_value()),
            style=storage_style(self._config, rows, len(self.record.as_value())),
            single_port=True,
            name="task records",
        )
        m.d.comb += [
            memory.w_en.eq(self.dealt_en),
            memory.w_addr.eq(self.dealt.row),
            memory.w_data.eq(self.dealt.record),
            memory.r_en.eq(self.pass_en | self.drain_en),
            memory.r_addr.eq(Mux(self.pass_en, self.pass_row, self.drain_row)),
            self.record.eq(memory.r_data),
        ]
        return m
