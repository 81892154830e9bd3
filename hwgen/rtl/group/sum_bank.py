"""One bank of sums."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ...memory import RAM
from ..commands import row_shape
from .layouts import DEPARTED
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
    departed : Out(D)
        Lanes whose sum has become a task, of the row that was there in the cycle before. Gated
        only.
    """

    def __init__(self, config: Config):
        self._config = config
        sums = data.ArrayLayout(signed(32), config.array.group)
        members = {
            "w_en": In(1),
            "w_row": In(row_shape(config)),
            "w_sums": In(sums),
            "r_en": In(1),
            "r_row": In(row_shape(config)),
            "take": In(1),
            "sums": Out(sums),
        }
        if config.array.gated:
            members["departed"] = Out(config.array.group)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        width = len(self.sums.as_value())
        m.submodules.memory = memory = RAM(
            depth=config.array.rows,
            width=width,
            style=storage_style(config, config.array.rows, width),
            name="accumulators",
        )
        m.d.comb += [
            memory.w_en.eq(self.w_en),
            memory.w_addr.eq(self.w_row),
            memory.w_data.eq(self.w_sums),
            memory.r_en.eq(self.r_en),
            memory.r_addr.eq(self.r_row),
        ]
        # Nobody looks before the first read; what is not reset can be within a block RAM.
        sums = Signal.like(self.sums, reset_less=True)
        m.d.comb += self.sums.eq(sums)
        with m.If(self.take):
            m.d.sync += sums.eq(memory.r_data)
        if config.array.gated:
            self._judge(m, data.View(self.sums.shape(), memory.r_data))
        return m

    def _judge(self, m, row):
        """A block RAM answers late in its cycle: parts of a sum are compared in this one, as many
        bits each as a LUT has, and brought together in the next.
        """
        bits = 4
        mark = C(DEPARTED, 32)
        for lane in range(self._config.array.group):
            equal = Signal(32 // bits, name=f"equal{lane}", reset_less=True)
            m.d.sync += [
                part.eq(row[lane].word_select(n, bits) == mark.word_select(n, bits))
                for n, part in enumerate(equal)
            ]
            m.d.comb += self.departed[lane].eq(equal.all())
