"""What makes an instruction malformed, defined once: the decoder's checks, and their integer model.

A malformed instruction stops the machine before it reaches a unit. Checked is all that could let a
unit wait for something that never comes, or count beyond what it was built for.
"""

from enum import IntEnum

from ..config import Config
from ..rtl import mac
from .instructions import (
    HEADER,
    INSTRUCTION_BITS,
    INSTRUCTIONS,
    TOKENS,
    Field,
    Instruction,
    by_name,
)

__all__ = [
    "DIAGONALS",
    "Reason",
    "available",
    "field_bits",
    "field_ranges",
    "fields_in",
    "header_bits",
    "reason",
    "token_count",
]


class Reason(IntEnum):
    """Why an instruction is malformed; the `detail` of the status register."""

    OPCODE = 1
    PADDING = 2
    FIELD = 3
    GATE = 4
    TILE = 5
    CHUNKS = 6
    STEP = 7
    DIAGONAL = 8
    SPREAD = 9

    @property
    def doc(self) -> str:
        """One line for people."""
        return {
            Reason.OPCODE: "unknown opcode, or the configuration has no such unit",
            Reason.PADDING: "a bit beyond the last field is set",
            Reason.FIELD: "a field is out of its range",
            Reason.GATE: "gate and conditional in one pass",
            Reason.TILE: "the positions of a cluster do not fit into the accumulator rows",
            Reason.CHUNKS: "chunks is not planes x kernel_rows x kernel_columns",
            Reason.STEP: "step_rows x width + step_columns is not the number of clusters",
            Reason.DIAGONAL: "diagonal, but positions or width is no multiple of the clusters",
            Reason.SPREAD: "bits, but not of weights, not in one row, or not less than the room",
        }[self]


DIAGONALS = 12
"""Values of the field `diagonal`: the longest way between turns is 2**10 positions of a cluster."""

RESIDUAL = ("residual", "residual_signed", "residual_input")
"""Fields of a DRAIN that must be zero where it cannot add a residual."""

header_bits = sum(field.bits for field in HEADER)
"""Bits in front of an instruction's own fields."""


def available(config: Config) -> tuple[Instruction, ...]:
    """The instructions that an accelerator of ``config`` has the units for."""
    return tuple(i for i in INSTRUCTIONS if i.name != "VECTOR" or config.drain.pool)


def token_count(config: Config) -> int:
    """Token counters: one for each ordered pair of the units that do work."""
    units = len(available(config)) - 1
    return min(TOKENS, units * (units - 1))


def field_ranges(config: Config, instruction: Instruction) -> dict[str, tuple[int, int]]:
    """Smallest and largest value of each field on an accelerator of ``config``."""
    words = config.array.clusters * config.memory.activation_words
    buffer = {"activations": words, "weights": config.memory.weight_words}
    limits = {
        "target": 3,
        "operation": 4 if mac.facts(config).packs else 3,
        "source": 3 if config.array.gated else 1,
        "slots": config.array.slots + 1,
        "positions": config.array.rows * config.array.clusters + 1,
        "weights": buffer["weights"],
        "parameters": config.memory.parameter_words,
        "diagonal": DIAGONALS,
    }
    addresses = ("buffer", "input", "second", "output", "residual_input")
    largest = _largest_buffer(config, instruction)
    limits |= dict.fromkeys(addresses, largest)
    if instruction.unit in ("load", "store"):
        limits |= dict.fromkeys(("words", "rows", "planes"), largest + 1)
        limits["base"] = config.control.bases
    if instruction.name == "PASS":
        # Each chunk has weights of its own.
        limits |= dict.fromkeys(("planes", "chunks"), config.memory.weight_words + 1)
        limits |= dict.fromkeys(("step_rows", "step_columns"), config.array.clusters + 1)
    if instruction.name == "DRAIN":
        limits["channels"] = config.channels_per_pass + 1
        if not config.drain.residual:
            limits |= dict.fromkeys(RESIDUAL, 1)
    limits |= _optional_limits(config, instruction.name)
    if not config.array.gated:
        limits |= dict.fromkeys(("thresholds", "gate", "conditional", "clear_counts"), 1)
    ranges = {}
    for field in instruction.fields:
        least, most = field.range
        ranges[field.name] = (least, min(most, limits.get(field.name, most + 1) - 1))
    return ranges


def _largest_buffer(config: Config, instruction: Instruction) -> int:
    """Words of the buffer that an instruction addresses. The target decides which one a LOAD means:
    the largest is the limit, smaller ones wrap.
    """
    words = config.array.clusters * config.memory.activation_words
    if instruction.name != "LOAD":
        return words
    return max(words, config.memory.weight_words, config.memory.parameter_words)


def field_bits(config: Config, instruction: Instruction) -> dict[str, int]:
    """Lower bits of each field in which an accelerator of ``config`` can tell well-formed
    instructions from each other: enough for the field's range, and of what is added to an address
    no more than the address has.
    """
    buffer = (_largest_buffer(config, instruction) - 1).bit_length()
    wraps = dict.fromkeys(("buffer_row_stride", "buffer_plane_stride"), buffer)
    wraps |= dict.fromkeys(("input_plane_stride", "output_plane_stride"), buffer)
    wraps["address"] = config.bus.address_width
    ranges = field_ranges(config, instruction)
    bits = {}
    for field in instruction.fields:
        needed = field.bits if field.signed else max(1, ranges[field.name][1].bit_length())
        bits[field.name] = min(needed, wraps.get(field.name, needed))
    return bits


def _optional_limits(config: Config, name: str) -> dict[str, int]:
    """Upper limits of optional fields; 1 where the accelerator has no use for them."""
    unit = mac.facts(config)
    if name == "PASS":
        return {
            "mode": len(unit.modes),
            "align": 8 if unit.aligns else 1,
            "sum_shift": 8 if mac.shifts_sums(config) else 1,
        }
    if name == "LOAD":
        return {"bits": 8} if unit.spreads else dict.fromkeys(("bits", "room", "offset"), 1)
    if name == "VECTOR" and not unit.packs:
        return {field.name: 1 for field in by_name(name).fields if field.optional}
    return {"bits": 9} if name == "VECTOR" else {}


def fields_in(config: Config, instruction: Instruction) -> tuple[Field, ...]:
    """The fields that an accelerator of ``config`` has a use for."""
    limits = _optional_limits(config, instruction.name)
    absent = {name for name, limit in limits.items() if limit == 1}
    if not config.drain.residual:
        absent.update(RESIDUAL)
    return tuple(f for f in instruction.fields if f.name not in absent)


def reason(config: Config, word: int) -> Reason | None:
    """Why the instruction ``word`` (256 bits) is malformed on ``config``; None if it is not."""
    by_opcode = {i.opcode: i for i in available(config)}
    instruction = by_opcode.get(word & 0xFF)
    if instruction is None:
        return Reason.OPCODE
    values, low = {}, header_bits
    for field in instruction.fields:
        value = word >> low & (1 << field.bits) - 1
        if field.signed and value >> (field.bits - 1):
            value -= 1 << field.bits
        values[field.name] = value
        low += field.bits
    if word >> low or word >> INSTRUCTION_BITS:
        return Reason.PADDING
    mask = (1 << TOKENS) - 1
    if ((word >> 8 | word >> 8 + TOKENS) & mask) >> token_count(config):
        return Reason.FIELD
    for name, (least, most) in field_ranges(config, instruction).items():
        if not least <= values[name] <= most:
            return Reason.FIELD
    return _relation(config, instruction.name, values)


def _relation(config: Config, name: str, values: dict[str, int]) -> Reason | None:
    """What the fields of an instruction must be to each other."""
    array = config.array
    if name == "PASS" and values["gate"] and values["conditional"]:
        return Reason.GATE
    if name == "LOAD" and values["bits"]:
        several = values["rows"] != 1 or values["planes"] != 1
        if values["target"] != 1 or several or values["bits"] >= 1 << values["room"]:
            return Reason.SPREAD
    if name in ("PASS", "DRAIN") and values["diagonal"]:
        if values["positions"] % array.clusters or values.get("width", 0) % array.clusters:
            return Reason.DIAGONAL
    if name in ("PASS", "DRAIN"):
        positions = -(-values["positions"] // array.clusters)
        gated = values["source"] if name == "DRAIN" else values["gate"] or values["conditional"]
        if positions * values["slots"] > array.rows:
            return Reason.TILE
        if gated and positions > config.positions_per_cluster:
            return Reason.TILE
    if name == "PASS":
        if values["chunks"] != values["planes"] * values["kernel_rows"] * values["kernel_columns"]:
            return Reason.CHUNKS
        if values["step_rows"] * values["width"] + values["step_columns"] != array.clusters:
            return Reason.STEP
    return None
