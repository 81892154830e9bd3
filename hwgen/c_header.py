"""The register map as a C header."""

from hwgen.config import Config
from hwgen.isa.cheader import instruction_set
from hwgen.isa.checks import Reason
from hwgen.isa.registers import UNITS, ErrorCode, Register, State, registers

__all__ = ["c_header", "registers_for_c"]


def c_header(config: Config, banner: str) -> str:
    """The C header (C99) of an accelerator.

    Offsets, fields and codes begin with ``HWGEN_`` and are the same for every configuration of a
    version, so that one driver serves them all and two headers may be included together. What a
    configuration fixes begins with its own name.

    Parameters
    ----------
    config
        The accelerator.
    banner
        Lines for the comment at the top.
    """
    guard = f"HWGEN_{config.name.upper()}_H"
    own = config.name.upper()
    constants = [register for register in registers(config) if register.access == "constant"]
    parts = [
        [f"// {line}".rstrip() for line in banner.splitlines()],
        [f"#ifndef {guard}", f"#define {guard}"],
        *registers_for_c(config),
        instruction_set(),
        [f"// What the constant registers of {config.name} hold."]
        + [f"#define {own}_{register.name} 0x{register.reset:08x}u" for register in constants],
        ["#endif"],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def registers_for_c(config: Config) -> list[list[str]]:
    """Paragraphs of definitions: registers and codes, the same for every configuration."""
    return [
        ["// Registers of 32 bits: byte offsets; fields: lowest bit, mask in place."]
        + [line for register in registers(config) for line in _register(register)],
        ["// States: field STATE of STATUS."]
        + [_define(f"STATE_{state.name}", state.value) for state in State],
        ["// Error codes: field ERROR of STATUS."]
        + [_define(f"ERROR_{code.name}", code.value, code.doc) for code in ErrorCode],
        ["// What is wrong with a malformed instruction: field DETAIL of STATUS."]
        + [_define(f"DETAIL_{reason.name}", reason.value, reason.doc) for reason in Reason],
        ["// Units: field UNIT of STATUS."]
        + [_define(f"UNIT_{unit.upper()}", number) for number, unit in enumerate(UNITS)],
    ]


def _define(name: str, value: int | str, doc: str = "") -> str:
    line = f"#define HWGEN_{name} {value}"
    return f"{line} // {doc}" if doc else line


def _register(register: Register) -> list[str]:
    """The offset of a register, and its fields unless it is a single number."""
    doc = f"{register.access}: {register.doc}"
    lines = [_define(register.name, f"0x{register.offset:03x}", doc)]
    if [field.name for field in register.fields] in ([], ["value"]):
        return lines
    for field in register.fields:
        low = register.lows()[field.name]
        name = f"{register.name}_{field.name.upper()}"
        mask = ((1 << field.bits) - 1) << low
        lines.append(_define(f"{name}_LSB", low, field.doc))
        lines.append(_define(f"{name}_MASK", f"0x{mask:08x}u"))
    return lines
