"""Parameter records, a word at a time in, whole out."""

from amaranth import *
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from ...isa.parameters import RECORD, RECORD_BYTES
from ...memory import RAM
from .ports import WORD_BITS

__all__ = ["RecordBuffer", "record_layout"]

WORDS = RECORD_BYTES * 8 // WORD_BITS
FIELDS = ("multiplier", "shift", "bias", "channel")
"""Of a dense drain without residual."""


def record_layout(config: Config) -> data.StructLayout:
    """What a drain has of a record: the low bits of its fields."""
    cut = {"multiplier": config.drain.multiplier_bits, "shift": config.drain.shift_bits}
    layout = {}
    for field, _ in RECORD:
        if field.name in FIELDS:
            bits = cut.get(field.name, field.bits)
            layout[field.name] = signed(bits) if field.signed else unsigned(bits)
    return data.StructLayout(layout)


class RecordBuffer(wiring.Component):
    """A memory for each word of a record that has a field in it, so that a record is read at once
    and stays at their outputs.

    Members
    -------
    w_en : In(1), w_address : In, w_part : In(3), w_data : In(32)
        Store word ``w_part`` of a record.
    r_en : In(1), r_address : In, record : Out(record_layout)
        A record, in the cycle after it has been asked for, until the next.
    """

    def __init__(self, config: Config):
        self._config = config
        address = ceil_log2(config.memory.parameter_words)
        super().__init__(
            {
                "w_en": In(1),
                "w_address": In(address),
                "w_part": In(ceil_log2(WORDS)),
                "w_data": In(WORD_BITS),
                "r_en": In(1),
                "r_address": In(address),
                "record": Out(record_layout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        contents = {}  # of the words of a record
        used = [(field, low) for field, low in RECORD if field.name in FIELDS]
        for number in sorted({8 * low // WORD_BITS for _, low in used}):
            m.submodules[f"word{number}"] = ram = RAM(
                depth=config.memory.parameter_words,
                width=WORD_BITS,
                style="macro" if config.memory.style == "macro" else "block",
                name="drain records",
            )
            m.d.comb += [
                ram.w_en.eq(self.w_en & (self.w_part == number)),
                ram.w_addr.eq(self.w_address),
                ram.w_data.eq(self.w_data),
                ram.r_en.eq(self.r_en),
                ram.r_addr.eq(self.r_address),
            ]
            contents[number] = ram.r_data
        whole = Cat(contents.get(n, Const(0, WORD_BITS)) for n in range(WORDS))
        layout = self.record.shape()
        for field, low in used:
            width = Shape.cast(layout[field.name].shape).width
            m.d.comb += Value.cast(self.record[field.name]).eq(whole[8 * low :][:width])
        return m
