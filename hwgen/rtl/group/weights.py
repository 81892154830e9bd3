"""The weights of a group's engines, double buffered."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from ...memory import RAM
from ..commands import slot_shape, weight_write
from .layouts import column_shape
from .storage import storage_style

__all__ = ["create", "DealtWeights", "FixedWeights"]


def create(config: Config) -> "DealtWeights | FixedWeights":
    """The store that the configuration needs."""
    return DealtWeights(config) if config.array.gated else FixedWeights(config)


class DealtWeights(wiring.Component):
    """Every engine holds the weights of all slots of its group, since it may be dealt any task.

    Read latency 1, a read of every engine in each cycle, no backpressure. The bank being written
    must not be read.

    Members
    -------
    write_en : In(1), write : In(weight_write)
        A weight word: ``weight_slots`` consecutive slots, for all engines.
    read_en : In(1), bank : In(1), slots : In(array of D)
        The slot that each engine reads, and from which bank.
    weights : Out(array of D)
        R weights for each engine, a cycle after ``read_en``, until the next.
    """

    def __init__(self, config: Config):
        self._config = config
        lanes, engines = config.array.lanes, config.array.group
        super().__init__(
            {
                "write_en": In(1),
                "write": In(weight_write(config)),
                "read_en": In(1),
                "bank": In(1),
                "slots": In(data.ArrayLayout(slot_shape(config), engines)),
                "weights": Out(data.ArrayLayout(8 * lanes, engines)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        per_word = config.memory.weight_slots
        select_bits = ceil_log2(per_word)
        words = config.channels_per_group // per_word
        row_bits = ceil_log2(words)
        depth = (1 << row_bits) + words  # the second bank starts at a power of two

        style = storage_style(config, depth, config.weight_part_bits)
        # LUT RAM shows a word at once: choosing first leaves one slot to register, not a word.
        asynchronous = style == "distributed"
        for e in range(config.array.group):
            m.submodules[f"engine{e}"] = memory = RAM(
                depth=depth,
                width=config.weight_part_bits,
                style=style,
                asynchronous=asynchronous,
                name="weights",
            )
            slot = self.slots[e]
            select = slot[:select_bits]
            chosen = self.weights[e]
            if asynchronous:
                chosen = Signal.like(self.weights[e], name=f"chosen{e}")
                with m.If(self.read_en):
                    m.d.sync += self.weights[e].eq(chosen)
            else:
                select = Signal(select_bits, name=f"select{e}")
                with m.If(self.read_en):
                    m.d.sync += select.eq(slot)
                m.d.comb += memory.r_en.eq(self.read_en)
            m.d.comb += [
                memory.w_en.eq(self.write_en),
                memory.w_addr.eq(Cat(self.write.index[:row_bits], self.write.bank)),
                memory.w_data.eq(self.write.data),
                memory.r_addr.eq(Cat(slot[select_bits : select_bits + row_bits], self.bank)),
                chosen.eq(memory.r_data.word_select(select, len(chosen))),
            ]
        return m


class FixedWeights(wiring.Component):
    """Engine e holds the weights of slots e, D + e, 2D + e …: one memory for the whole group.

    Timing and rules as in :class:`DealtWeights`.

    Members
    -------
    write_en, write, read_en, bank, weights
        As in :class:`DealtWeights`.
    column : In
        Each engine e reads slot ``column * D + e``.
    """

    def __init__(self, config: Config):
        self._config = config
        lanes, engines = config.array.lanes, config.array.group
        super().__init__(
            {
                "write_en": In(1),
                "write": In(weight_write(config)),
                "read_en": In(1),
                "bank": In(1),
                "column": In(column_shape(config)),
                "weights": Out(data.ArrayLayout(8 * lanes, engines)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        parts = config.array.group // config.memory.weight_slots
        part_bits = ceil_log2(parts)
        column_bits = ceil_log2(config.array.slots)
        depth = (1 << column_bits) + config.array.slots

        m.submodules.memory = memory = RAM(
            depth=depth,
            width=parts * config.weight_part_bits,
            granularity=config.weight_part_bits,
            style=storage_style(config, depth, parts * config.weight_part_bits),
            name="weights",
        )
        index = self.write.index
        m.d.comb += [
            memory.w_en.eq(self.write_en),
            memory.w_addr.eq(Cat(index[part_bits : part_bits + column_bits], self.write.bank)),
            memory.w_mask.eq(1 << index[:part_bits]),
            memory.w_data.eq(self.write.data.replicate(parts)),
            memory.r_en.eq(self.read_en),
            memory.r_addr.eq(Cat(self.column[:column_bits], self.bank)),
            self.weights.eq(memory.r_data),
        ]
        return m
