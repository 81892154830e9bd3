"""Which sums of a gated tile have become tasks."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ...memory import RAM
from ..commands import row_shape
from .layouts import gate_row
from .storage import storage_style

__all__ = ["DecisionStore"]


class DecisionStore(wiring.Component):
    """D bits for each row of sums; the next gate overwrites them.

    Members
    -------
    gate : In(gate_row)
    read_en : In(1), read_row : In
    decisions : Out(D)
        Fired lanes of that row, a cycle later, until the next read.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "gate": In(gate_row(config)),
                "read_en": In(1),
                "read_row": In(row_shape(config)),
                "decisions": Out(config.array.group),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows = self._config.array.rows
        m.submodules.memory = memory = RAM(
            depth=rows,
            width=self._config.array.group,
            style=storage_style(self._config, rows, self._config.array.group),
            name="decisions",
        )
        m.d.comb += [
            memory.w_en.eq(self.gate.some),
            memory.w_addr.eq(self.gate.row),
            memory.w_data.eq(self.gate.fired),
            memory.r_en.eq(self.read_en),
            memory.r_addr.eq(self.read_row),
            self.decisions.eq(memory.r_data),
        ]
        return m
