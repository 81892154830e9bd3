"""The parameter memory of a drain lane."""

from amaranth import *
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from ...isa.parameters import RECORD, RECORD_BYTES
from ...memory import RAM

__all__ = ["RecordMemory", "record_layout", "record_write"]


def record_layout(config: Config) -> data.StructLayout:
    """A record as this configuration uses it: the low bits of its fields, the base path only if
    there is a gate."""
    bits = {
        "multiplier": config.drain.multiplier_bits,
        "shift": config.drain.shift_bits,
        "base_multiplier": config.drain.multiplier_bits,
        "base_shift": config.drain.shift_bits,
    }
    members = {}
    for field, _ in RECORD:
        if field.name.startswith("base_") and not config.array.gated:
            continue
        width = bits.get(field.name, field.bits)
        members[field.name] = signed(width) if field.signed else unsigned(width)
    return data.StructLayout(members)


def record_write(config: Config) -> data.StructLayout:
    """A record on its way from the load unit: its number, and its bytes as they lie in memory."""
    return data.StructLayout(
        {"index": ceil_log2(config.memory.parameter_words), "record": 8 * RECORD_BYTES}
    )


class RecordMemory(wiring.Component):
    """Some fields of the records of ``config.memory.parameter_words`` channels. Read latency 1.

    Parameters
    ----------
    config : Config
        The accelerator.
    fields : list of str
        Names of the fields to store; those that the configuration lacks are left out.

    Members
    -------
    write_valid, write : In
        Store a record, in any cycle.
    read_en, read_index : In
        Ask for a record.
    record : Out
        Its ``fields``, one cycle later, until the next is asked for.
    """

    def __init__(self, config: Config, *, fields: list[str], name: str):
        self._config = config
        self._name = name
        full = record_layout(config)
        self._layout = data.StructLayout({f: full.members[f] for f in fields if f in full.members})
        super().__init__(
            {
                "write_valid": In(1),
                "write": In(record_write(config)),
                "read_en": In(1),
                "read_index": In(ceil_log2(config.memory.parameter_words)),
                "record": Out(self._layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        style = "macro" if self._config.memory.style == "macro" else "block"
        m.submodules.ram = ram = RAM(
            depth=self._config.memory.parameter_words,
            width=self._layout.size,
            style=style,
            name=self._name,
        )
        parts = [
            self.write.record[8 * low :][: Shape.cast(self._layout.members[field.name]).width]
            for field, low in RECORD
            if field.name in self._layout.members
        ]
        m.d.comb += [
            ram.w_en.eq(self.write_valid),
            ram.w_addr.eq(self.write.index),
            ram.w_data.eq(Cat(*parts)),
            ram.r_en.eq(self.read_en),
            ram.r_addr.eq(self.read_index),
            self.record.eq(ram.r_data),
        ]
        return m
