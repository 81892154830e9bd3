"""Payloads that go between the blocks. Instruction fields keep the names and widths of the
instruction set.
"""

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data
from amaranth.utils import bits_for, ceil_log2

from ..config import Config
from ..isa.checks import field_bits, fields_in
from ..isa.instructions import Instruction, by_name
from . import mac

__all__ = [
    "cut_fields",
    "drain_command",
    "drain_item",
    "group_command",
    "instruction_fields",
    "instruction_layout",
    "mode_field",
    "position_shape",
    "row_shape",
    "slot_shape",
    "vector",
    "weight_broadcast",
    "weight_write",
]


def _shape(field, bits: int) -> Shape:
    return signed(bits) if field.signed else unsigned(bits)


def instruction_layout(instruction: Instruction | str, config: Config) -> data.StructLayout:
    """The fields of an instruction behind the header, as a payload: those that ``config`` has a use
    for, and of each the bits that it has a use for.
    """
    if isinstance(instruction, str):
        instruction = by_name(instruction)
    bits = field_bits(config, instruction)
    fields = fields_in(config, instruction)
    return data.StructLayout({f.name: _shape(f, bits[f.name]) for f in fields})


def instruction_fields(instruction: Instruction) -> data.StructLayout:
    """All fields of an instruction behind the header, as they lie in memory."""
    return data.StructLayout({f.name: _shape(f, f.bits) for f in instruction.fields})


def row_shape(config: Config) -> Shape:
    """Number of an accumulator row."""
    return unsigned(ceil_log2(config.array.rows))


def position_shape(config: Config) -> Shape:
    """Number of a position within its cluster; rows are the bound, with one slot."""
    return row_shape(config)


def slot_shape(config: Config) -> Shape:
    """Number of a slot within its group: 0 to D*V-1."""
    return unsigned(max(1, ceil_log2(config.array.group * config.array.slots)))


def vector(config: Config) -> data.StructLayout:
    """What travels down a chain: the activations of a position, and which groups want them."""
    return data.StructLayout({"data": 8 * config.array.lanes, "want": config.groups})


def _weights(config: Config, groups: int) -> data.StructLayout:
    words = config.array.group * config.array.slots
    return data.StructLayout(
        {
            "data": groups * config.weight_part_bits,
            "index": max(1, ceil_log2(words)),
            "bank": 1,
            "thresholds": 1,
        }
    )


def weight_broadcast(config: Config) -> data.StructLayout:
    """A weight word on its way to the clusters: a part for each group, group 0 in the low bits.

    ``index`` is the number of the word in its chunk, ``bank`` where it goes; ``thresholds`` says
    that it carries thresholds instead.
    """
    return _weights(config, config.groups)


def weight_write(config: Config) -> data.StructLayout:
    """The part of a weight word that is for one group."""
    return _weights(config, 1)


def cut_fields(config: Config) -> dict[str, int]:
    """Members of a layout that say what is taken of a stored byte: ``mask`` and, where units want
    narrow activations at the top of a byte, ``align``.
    """
    return {"mask": 8} | ({"align": 3} if mac.facts(config).aligns else {})


def mode_field(config: Config) -> dict[str, int]:
    """The member ``mode`` of a layout; none where MAC units have a single mode."""
    modes = len(mac.facts(config).modes)
    return {"mode": ceil_log2(modes)} if modes > 1 else {}


def group_command(config: Config) -> data.StructLayout:
    """A pass, as a group sees it; ``positions`` counts those of its own cluster."""
    return data.StructLayout(
        {
            "first": 1,
            "gate": 1,
            "conditional": 1,
            "bank": 1,
            "signed": 1,
            "clear_counts": 1,
            "slots": bits_for(config.array.slots),
            "positions": bits_for(config.array.rows),
            "chunks": field_bits(config, by_name("PASS"))["chunks"],
            **mode_field(config),
            **({"sum_shift": 3} if mac.shifts_sums(config) else {}),
        }
    )


def drain_command(config: Config) -> data.StructLayout:
    """What a group is asked to drain. ``source``: 0 all sums, 1 finished ones, 2 tasks."""
    return data.StructLayout(
        {
            "bank": 1,
            "source": 2,
            "slots": bits_for(config.array.slots),
            "positions": bits_for(config.array.rows),
        }
    )


def drain_item(config: Config) -> data.StructLayout:
    """A sum on its way to the requantizer. ``last`` marks the end of a drain command and carries no
    sum unless ``some``.
    """
    return data.StructLayout(
        {
            "sum": signed(32),
            "slot": slot_shape(config),
            "position": position_shape(config),
            "full": 1,
            "some": 1,
            "last": 1,
        }
    )
