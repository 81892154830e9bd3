"""The thresholds of a group's slots, double buffered."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from ...memory import RAM
from ..commands import weight_write
from .layouts import column_shape
from .storage import storage_style

__all__ = ["ThresholdStore"]


class ThresholdStore(wiring.Component):
    """Rows of D thresholds: row v holds those of slots v*D to v*D + D-1.

    Read latency 2, one row a cycle, no backpressure. The bank being written must not be read.

    Members
    -------
    write_en : In(1), write : In(weight_write)
        A word of thresholds: ``min(D, bits of data / 32)`` of consecutive slots. The
        bank in it is that of the weights, and not looked at.
    write_bank : In(1)
        Where the word goes.
    read_en : In(1), bank : In(1), column : In
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
                "write_bank": In(1),
                "read_en": In(1),
                "bank": In(1),
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
        depth = (1 << column_bits) + config.array.slots

        m.submodules.memory = memory = RAM(
            depth=depth,
            width=32 * config.array.group,
            granularity=32 * per_word,
            style=storage_style(config, depth, 32 * config.array.group),
            name="thresholds",
        )
        index = self.write.index
        m.d.comb += [
            memory.w_en.eq(self.write_en),
            memory.w_addr.eq(Cat(index[part_bits : part_bits + column_bits], self.write_bank)),
            memory.w_mask.eq(1 << index[:part_bits]),
            memory.w_data.eq(self.write.data[: 32 * per_word].replicate(parts)),
            memory.r_en.eq(self.read_en),
            memory.r_addr.eq(Cat(self.column[:column_bits], self.bank)),
        ]
        # Block RAM answers late in the cycle, and a comparison of 32 bits follows.
        m.d.sync += self.thresholds.eq(memory.r_data)
        return m
