"""The thresholds of a group's slots."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from ...memory import RAM
from ..commands import weight_write
from ..unreset import unreset
from .layouts import column_shape
from .storage import storage_style

__all__ = ["ThresholdStore"]


class ThresholdStore(wiring.Component):
    """Rows of D thresholds: row v holds those of slots v*D to v*D + D-1.

    Read latency 2, one row a cycle, no backpressure. A row must not be read while it is written:
    the feeder sends thresholds when the last gate is over.

    Members
    -------
    write_en : In(1), write : In(weight_write)
        A word of thresholds: ``min(D, bits of data / 32)`` of consecutive slots. Its bank is that
        of weights, and not looked at.
    read_en : In(1), column : In
        Row to read.
    thresholds : Out(array of D)
        Signed numbers of 32 bits.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "write_en": In(1),
                "write": In(weight_write(config)),
                "read_en": In(1),
                "column": In(column_shape(config)),
                "thresholds": Out(data.ArrayLayout(signed(32), config.array.group)),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from ``read_en`` to ``thresholds``."""
        return 2

    def elaborate(self, platform):
        m = Module()
        config = self._config
        per_word = min(config.array.group, config.weight_part_bits // 32)
        parts = config.array.group // per_word
        part_bits = ceil_log2(parts)
        column_bits = ceil_log2(config.array.slots)
        depth = max(2, config.array.slots)

        style = storage_style(config, depth, 32 * config.array.group)
        # LUT RAM shows a row at once: registering the column first costs fewer bits than the row.
        asynchronous = style == "distributed"
        m.submodules.memory = memory = RAM(
            depth=depth,
            width=32 * config.array.group,
            granularity=32 * per_word,
            style=style,
            asynchronous=asynchronous,
            name="thresholds",
        )
        column = self.column[:column_bits]
        if asynchronous:
            held = Signal.like(column, name="held", reset_less=True)
            with m.If(self.read_en):
                m.d.sync += held.eq(column)
            column = held
        else:
            m.d.comb += memory.r_en.eq(self.read_en)
        index = self.write.index
        m.d.comb += [
            memory.w_en.eq(self.write_en),
            memory.w_addr.eq(index[part_bits : part_bits + column_bits]),
            memory.w_mask.eq(1 << index[:part_bits]),
            memory.w_data.eq(self.write.data[: 32 * per_word].replicate(parts)),
            memory.r_addr.eq(column),
        ]
        # Block RAM answers late in the cycle, and a comparison of 32 bits follows.
        m.d.sync += unreset(m, self.thresholds).eq(memory.r_data)
        return m
