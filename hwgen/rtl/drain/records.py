"""The parameter memory of a drain lane."""

from amaranth import *
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from ...isa.parameters import RECORD, RECORD_BYTES
from ...memory import RAM
from ..unreset import unreset

__all__ = ["RecordMemory", "RecordSplitter", "path_layout", "path_write", "record_write"]

PATH_BITS = 8 * RECORD_BYTES // 2


def path_layout(config: Config) -> data.StructLayout:
    """One path of a record as this configuration uses it: the low bits of its fields."""
    bits = {"multiplier": config.drain.multiplier_bits, "shift": config.drain.shift_bits}
    members = {}
    for field, _ in RECORD:
        if not field.name.startswith("base_"):
            width = bits.get(field.name, field.bits)
            members[field.name] = signed(width) if field.signed else unsigned(width)
    return data.StructLayout(members)


def record_write(config: Config) -> data.StructLayout:
    """A record on its way from the load unit: its number, and its bytes as they lie in memory."""
    return data.StructLayout(
        {"index": ceil_log2(config.memory.parameter_words), "record": 8 * RECORD_BYTES}
    )


def path_write(config: Config) -> data.StructLayout:
    """Half a record on its way to the memories: its number, which path, and its bytes."""
    return data.StructLayout(
        {"index": ceil_log2(config.memory.parameter_words), "base": 1, "path": PATH_BITS}
    )


class RecordSplitter(wiring.Component):
    """Sends a record path by path, the full one first, so that both may lie in one memory.

    Members
    -------
    i : In(stream of record_write)
        Accepted with its last path: in a cycle without gate, which has one path, else in two.
    o_valid : Out(1), o : Out(path_write)
        To all memories, a cycle later; never refused.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(record_write(config))),
                "o_valid": Out(1),
                "o": Out(path_write(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        second, path = Signal(), unreset(m, self.o)
        m.d.sync += [
            self.o_valid.eq(self.i.valid),
            path.index.eq(self.i.payload.index),
            path.base.eq(second),
            path.path.eq(self.i.payload.record.word_select(second, PATH_BITS)),
        ]
        if not self._config.array.gated:
            m.d.comb += self.i.ready.eq(1)
            return m
        m.d.comb += self.i.ready.eq(second)
        with m.If(self.i.valid):
            m.d.sync += second.eq(~second)
        return m


class RecordMemory(wiring.Component):
    """Some fields of the records of ``config.memory.parameter_words`` channels. Read latency 2:
    block RAM answers late in a cycle, and has a register behind it.

    Parameters
    ----------
    config : Config
        The accelerator.
    fields : list of str
        Names of the fields to store.
    paths : int
        1: of the full path; 2: of both, in alternate rows.
    name : str
        What the inventory calls the memory.

    Members
    -------
    write_valid, write : In
        Store a path, in any cycle.
    read_en, read_index, read_base : In
        Ask for a record, for the base path if ``read_base``, which is there with two paths.
    record : Out
        Its ``fields``, ``latency`` cycles later, until a cycle after the next is asked for.
    """

    latency = 2

    def __init__(self, config: Config, *, fields: list[str], paths: int = 1, name: str):
        self._config = config
        self._paths = paths
        self._name = name
        members = path_layout(config).members
        self._layout = data.StructLayout({field: members[field] for field in fields})
        ports = {
            "write_valid": In(1),
            "write": In(path_write(config)),
            "read_en": In(1),
            "read_index": In(ceil_log2(config.memory.parameter_words)),
            "record": Out(self._layout),
        }
        if paths == 2:
            ports["read_base"] = In(1)
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        style = "macro" if self._config.memory.style == "macro" else "block"
        m.submodules.ram = ram = RAM(
            depth=self._paths * self._config.memory.parameter_words,
            width=self._layout.size,
            style=style,
            name=self._name,
        )
        parts = [
            self.write.path[8 * low :][: Shape.cast(self._layout.members[field.name]).width]
            for field, low in RECORD
            if field.name in self._layout.members
        ]
        record = Signal(self._layout, reset_less=True)
        m.d.comb += [
            ram.w_data.eq(Cat(*parts)),
            ram.r_en.eq(self.read_en),
            self.record.eq(record),
        ]
        m.d.sync += record.eq(ram.r_data)
        if self._paths == 2:
            m.d.comb += [
                ram.w_en.eq(self.write_valid),
                ram.w_addr.eq(Cat(self.write.base, self.write.index)),
                ram.r_addr.eq(Cat(self.read_base, self.read_index)),
            ]
        else:
            m.d.comb += [
                ram.w_en.eq(self.write_valid & ~self.write.base),
                ram.w_addr.eq(self.write.index),
                ram.r_addr.eq(self.read_index),
            ]
        return m
