"""The C driver for bare metal: hand-written C and the definitions it needs."""

import json
from collections.abc import Iterable
from importlib import resources

from hwgen.c_header import registers_for_c
from hwgen.config import Config
from hwgen.isa.checks import Reason
from hwgen.isa.instructions import INSTRUCTION_BITS
from hwgen.isa.registers import COUNTERS, IDENTIFICATION, MACS, MODES_MOST, UNITS, ErrorCode

__all__ = ["driver_files"]

GENERATED = "// @generated@\n"
"""The line of the header that the definitions take the place of."""


def driver_files() -> dict[str, str]:
    """Name and text of the driver's files, the same for every configuration."""
    folder = resources.files("hwgen") / "c"
    header = (folder / "hwgen_driver.h").read_text()
    assert header.count(GENERATED) == 1
    return {
        "hwgen_driver.h": header.replace(GENERATED, _definitions()),
        "hwgen_driver.c": (folder / "hwgen_driver.c").read_text(),
    }


def _definitions() -> str:
    paragraphs = registers_for_c(Config())
    paragraphs.append(
        [
            "// What the driver says and expects.",
            f"#define HWGEN_IDENTIFICATION 0x{IDENTIFICATION:08x}u",
            f"#define HWGEN_INSTRUCTION_BYTES {INSTRUCTION_BITS // 8}",
            f"#define HWGEN_COUNTERS {len(COUNTERS)}",
            f"#define HWGEN_MODES_WORDS {MODES_MOST // 4}u",
            *_strings("MAC_NAMES", MACS),
            *_strings("COUNTER_NAMES", COUNTERS),
            *_strings("UNIT_NAMES", UNITS),
            *_strings("ERROR_SENTENCES", (code.sentence for code in ErrorCode)),
            *_strings("DETAIL_SENTENCES", ["unknown", *(reason.doc for reason in Reason)]),
        ]
    )
    return "\n\n".join("\n".join(lines) for lines in paragraphs) + "\n"


def _strings(name: str, texts: Iterable[str]) -> list[str]:
    """A macro that initializes an array of strings."""
    lines = [f"    {json.dumps(text)}" for text in texts]
    return [f"#define HWGEN_{name} {{ \\", ", \\\n".join(lines) + " \\", "}"]
