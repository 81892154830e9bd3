"""One bank of sums."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ...memory import RAM
from ..commands import row_shape
from .storage import storage_style

__all__ = ["SumBank"]


class SumBank(wiring.Component):
    """Rows of D sums with a register behind the memory, since block RAM answers late in a cycle.

    Members
    -------
    w_en : In(1), w_row : In, w_sums : In
        Row to write.
    r_en : In(1), r_row : In
        Row to read; it is there a cycle later, until the next.
    take : In(1)
        Move what is there to the register.
    sums : Out
        The register, until the next ``take``.
    """

    def __init__(self, config: Config):
        self._config = config
        width = 32 * config.array.group
        super().__init__(
            {
                "w_en": In(1),
                "w_row": In(row_shape(config)),
                "w_sums": In(width),
                "r_en": In(1),
                "r_row": In(row_shape(config)),
                "take": In(1),
                "sums": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = RAM(
            depth=self._config.array.rows,
            width=len(self.sums),
            style=storage_style(self._config, self._config.array.rows, len(self.sums)),
            name="accumulators",
        )
        m.d.comb += [
            memory.w_en.eq(self.w_en),
            memory.w_addr.eq(self.w_row),
            memory.w_data.eq(self.w_sums),
            memory.r_en.eq(self.r_en),
            memory.r_addr.eq(self.r_row),
        ]
        with m.If(self.take):
            m.d.sync += self.sums.eq(memory.r_data)
        return m
