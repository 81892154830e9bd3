"""The instruction set for C: opcodes, positions of fields, and functions that pack."""

from .instructions import HEADER, INSTRUCTION_BITS, INSTRUCTIONS, TOKENS, Field
from .parameters import RECORD, RECORD_BYTES

__all__ = ["instruction_set"]


def instruction_set() -> list[str]:
    """Lines of C99, the same for every configuration; headers that hold them go together."""
    return [
        "// Instructions: opcodes; fields: lowest bit, bits. HWGEN_SET packs them.",
        "#ifndef HWGEN_ISA",
        "#define HWGEN_ISA 1",
        "#include <stdint.h>",
        *_instructions(),
        "",
        *_record(),
        "#endif",
    ]


def _instructions() -> list[str]:
    """Opcodes, for each field its lowest bit and its bits, and a function that sets one."""
    lines = [
        f"#define HWGEN_INSTRUCTION_WORDS {INSTRUCTION_BITS // 32}",
        f"#define HWGEN_TOKENS {TOKENS}",
    ]
    lines += _places("INSTRUCTION", HEADER, 0)
    start = sum(field.bits for field in HEADER)
    for instruction in INSTRUCTIONS:
        lines.append(f"#define HWGEN_OPCODE_{instruction.name} {instruction.opcode}")
        lines += _places(instruction.name, instruction.fields, start)
    return [
        *lines,
        "",
        "// Sets a field of an instruction that was zero: HWGEN_SET(words, HWGEN_LOAD_ROWS, 3).",
        "#define HWGEN_SET(words, field, value) \\",
        "    hwgen_set((words), field##_LSB, field##_BITS, (uint32_t)(value))",
        "static inline void hwgen_set(uint32_t *words, unsigned low, unsigned bits,",
        "                             uint32_t value)",
        "{",
        "    for (unsigned n = 0; n < bits; n++)",
        "        words[(low + n) / 32] |= (value >> n & 1u) << (low + n) % 32;",
        "}",
    ]


def _places(prefix: str, fields: tuple[Field, ...], low: int) -> list[str]:
    lines = []
    for field in fields:
        name = f"HWGEN_{prefix}_{field.name.upper()}"
        lines += [
            f"#define {name}_LSB {low} // {field.doc}",
            f"#define {name}_BITS {field.bits}",
        ]
        low += field.bits
    return lines


def _record() -> list[str]:
    """A parameter record as a structure, and the function that packs it."""
    lines = [
        f"#define HWGEN_RECORD_BYTES {RECORD_BYTES}",
        "",
        "// What the drain needs of an output channel.",
        "struct hwgen_record {",
    ]
    lines += [
        f"    {'int64_t' if field.signed else 'uint32_t'} {field.name}; // {field.doc}"
        for field, _byte in RECORD
    ]
    lines += [
        "};",
        "",
        "// The bytes of a record as they lie in memory.",
        "static inline void hwgen_pack_record(uint8_t *bytes, const struct hwgen_record *record)",
        "{",
        f"    for (unsigned n = 0; n < {RECORD_BYTES}; n++)",
        "        bytes[n] = 0;",
    ]
    for field, byte in RECORD:
        whole, rest = divmod(field.bits, 8)
        lines += [
            f"    for (unsigned n = 0; n < {whole}; n++)",
            f"        bytes[{byte} + n] = (uint8_t)((uint64_t)record->{field.name} >> 8 * n);",
        ]
        if rest:
            mask = (1 << rest) - 1
            value = f"(uint64_t)record->{field.name} >> {8 * whole} & {mask:#x}u"
            lines.append(f"    bytes[{byte + whole}] = (uint8_t)({value});")
    return [*lines, "}"]
