"""Instructions and parameter records as bytes, and back."""

from dataclasses import dataclass, field

import numpy as np

from ..config import Config
from ..errors import UserError
from .checks import reason
from .instructions import HEADER, INSTRUCTION_BITS, INSTRUCTIONS, TOKENS, Field, by_name
from .parameters import RECORD, RECORD_BYTES

__all__ = [
    "INSTRUCTION_BYTES",
    "Decoded",
    "disassemble",
    "mask_of",
    "pack",
    "pack_records",
    "unpack",
    "unpack_records",
]

INSTRUCTION_BYTES = INSTRUCTION_BITS // 8


@dataclass(frozen=True)
class Decoded:
    """An instruction that has been taken apart; `wait` and `post` are masks of token counters."""

    name: str
    wait: int = 0
    post: int = 0
    fields: dict[str, int] = field(default_factory=dict)


def mask_of(tokens) -> int:
    """Mask of token counters from their numbers; a mask is left as it is."""
    if isinstance(tokens, int):
        return tokens
    mask = 0
    for token in tokens:
        if not 0 <= token < TOKENS:
            raise UserError(f"token counter {token!r}: must be 0 to {TOKENS - 1}")
        mask |= 1 << token
    return mask


def _checked(where: str, field: Field, value) -> int:
    """The bits of a field."""
    least, most = field.range
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = None
    if number is None or number != value or not least <= number <= most:
        raise UserError(f"{where}.{field.name}: must be {least} to {most}, not {value!r}")
    return number & (1 << field.bits) - 1


def pack(name: str, *, wait=0, post=0, config: Config | None = None, **fields) -> bytes:
    """The 32 bytes of an instruction.

    Parameters
    ----------
    name
        Which instruction.
    wait, post
        Token counters: a mask, or their numbers.
    config
        If given, the instruction must be one that an accelerator of this configuration accepts.
    fields
        Every field of the instruction but optional ones that are zero.

    Raises
    ------
    UserError
        If there is no such instruction or field, a field is missing, out of its range, or
        ``config`` would refuse it.
    """
    if name not in {i.name for i in INSTRUCTIONS}:
        names = ", ".join(i.name for i in INSTRUCTIONS)
        raise UserError(f"instruction {name!r}: must be one of {names}")
    instruction = by_name(name)
    expected = {f.name for f in instruction.fields}
    if unknown := sorted(fields.keys() - expected):
        raise UserError(f"{name}.{unknown[0]}: no such field; {name} has {_listed(instruction)}")
    optional = {f.name: 0 for f in instruction.fields if f.optional}
    if missing := [f.name for f in instruction.fields if f.name not in fields | optional]:
        raise UserError(f"{name}.{missing[0]}: missing; {name} has {_listed(instruction)}")
    values = {"opcode": instruction.opcode, "wait": mask_of(wait), "post": mask_of(post)}
    values |= optional | fields
    word, low = 0, 0
    for item in HEADER + instruction.fields:
        word |= _checked(name, item, values[item.name]) << low
        low += item.bits
    if config is not None and (problem := reason(config, word)) is not None:
        raise UserError(f"{name}: {problem.doc} (configuration {config.name})")
    return word.to_bytes(INSTRUCTION_BYTES, "little")


def _listed(instruction) -> str:
    return ", ".join(f.name for f in instruction.fields) or "none"


def unpack(data: bytes) -> Decoded:
    """An instruction from its 32 bytes; nothing but the opcode is checked."""
    if len(data) != INSTRUCTION_BYTES:
        raise UserError(f"an instruction has {INSTRUCTION_BYTES} bytes, not {len(data)}")
    word = int.from_bytes(data, "little")
    found = [i for i in INSTRUCTIONS if i.opcode == word & 0xFF]
    if not found:
        raise UserError(f"opcode {word & 0xFF}: no such instruction")
    (instruction,) = found
    values, low = {}, 0
    for item in HEADER + instruction.fields:
        value = word >> low & (1 << item.bits) - 1
        if item.signed and value >> (item.bits - 1):
            value -= 1 << item.bits
        values[item.name] = value
        low += item.bits
    del values["opcode"]
    return Decoded(instruction.name, values.pop("wait"), values.pop("post"), values)


def disassemble(data: bytes) -> str:
    """An instruction in one line; fields that are zero are left out."""
    decoded = unpack(data)
    words = [f"{decoded.name:<6}"]
    for name, mask in (("wait", decoded.wait), ("post", decoded.post)):
        if mask:
            numbers = ",".join(str(t) for t in range(TOKENS) if mask >> t & 1)
            words.append(f"{name}={{{numbers}}}")
    words += [f"{name}={value}" for name, value in decoded.fields.items() if value]
    return " ".join(words).rstrip()


def pack_records(**columns) -> bytes:
    """Parameter records of many channels; one sequence of integers for each field of a record."""
    names = [item.name for item, _low in RECORD]
    if columns.keys() != set(names):
        raise UserError(f"a parameter record has the fields {', '.join(names)}")
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    count = len(arrays["multiplier"])
    records = np.zeros((count, RECORD_BYTES), np.uint8)
    for item, low in RECORD:
        column = arrays[item.name]
        if column.shape != (count,):
            raise UserError(
                f"record.{item.name}: must be {count} integers, not of shape {column.shape}"
            )
        if count and column.dtype.kind not in "iu":
            raise UserError(f"record.{item.name}: must be integers, not {column.dtype}")
        least, most = item.range
        bad = np.flatnonzero((column < least) | (column > most))
        if len(bad):
            raise UserError(
                f"record.{item.name}[{bad[0]}]: must be {least} to {most}, not {column[bad[0]]}"
            )
        octets = -(-item.bits // 8)
        wide = column.astype("<i8").view(np.uint8).reshape(count, 8)[:, :octets].copy()
        if item.bits % 8:
            wide[:, -1] &= (1 << item.bits % 8) - 1
        records[:, low : low + octets] = wide
    return records.tobytes()


def unpack_records(data: bytes) -> dict[str, np.ndarray]:
    """The columns of `pack_records` again."""
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD_BYTES)
    columns = {}
    for item, low in RECORD:
        octets = -(-item.bits // 8)
        wide = np.zeros((len(records), 8), np.uint8)
        wide[:, :octets] = records[:, low : low + octets]
        shift = np.int64(64 - item.bits)
        left = wide.view("<i8").reshape(-1) << shift
        columns[item.name] = (
            left >> shift if item.signed else (left.view("<u8") >> np.uint64(shift)).astype("<i8")
        )
    return columns
