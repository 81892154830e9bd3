"""What is made from the definitions: the C functions pack as Python does, the pages are up to
date."""

import random
import subprocess
from pathlib import Path

import pytest

from hwgen import tools
from hwgen.c_header import c_header
from hwgen.config import load
from hwgen.isa.documentation import pages
from hwgen.isa.instructions import INSTRUCTIONS, TOKENS
from hwgen.isa.packing import pack, pack_records
from hwgen.isa.parameters import RECORD

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["registers.md", "instructions.md"])
def test_pages_are_up_to_date(name):
    written = (DOCS / name).read_text()
    assert written == pages()[name], "run: python -m hwgen.isa.documentation docs"


def program(seed: int) -> tuple[str, bytes]:
    """A C program that prints instructions and records, and what it must print."""
    draw = random.Random(seed)
    body, expected = [], b""
    for instruction in INSTRUCTIONS:
        values = {f.name: draw.randint(*f.range) for f in instruction.fields}
        wait, post = draw.getrandbits(TOKENS), draw.getrandbits(TOKENS)
        expected += pack(instruction.name, wait=wait, post=post, **values)
        body += ["for (n = 0; n < HWGEN_INSTRUCTION_WORDS; n++) words[n] = 0;"]
        body += [f"HWGEN_SET(words, HWGEN_INSTRUCTION_OPCODE, HWGEN_OPCODE_{instruction.name});"]
        body += [f"HWGEN_SET(words, HWGEN_INSTRUCTION_WAIT, {wait});"]
        body += [f"HWGEN_SET(words, HWGEN_INSTRUCTION_POST, {post});"]
        for field in instruction.fields:
            name = f"HWGEN_{instruction.name}_{field.name.upper()}"
            body += [f"HWGEN_SET(words, {name}, {values[field.name]});"]
        body += [
            "for (n = 0; n < 4 * HWGEN_INSTRUCTION_WORDS; n++)",
            '    printf("%02x", (unsigned)(words[n / 4] >> 8 * (n % 4) & 0xff));',
        ]
    record = {field.name: draw.randint(*field.range) for field, _byte in RECORD}
    expected += pack_records(**{name: [value] for name, value in record.items()})
    values = ", ".join(f"{value}ll" for value in record.values())
    body += [
        f"struct hwgen_record record = {{{values}}};",
        "hwgen_pack_record(bytes, &record);",
        'for (n = 0; n < HWGEN_RECORD_BYTES; n++) printf("%02x", bytes[n]);',
    ]
    lines = ["#include <stdio.h>", '#include "tiny.h"', "int main(void) {", "unsigned n;"]
    lines += ["uint32_t words[HWGEN_INSTRUCTION_WORDS]; uint8_t bytes[HWGEN_RECORD_BYTES];"]
    return "\n".join([*lines, *body, "return 0; }", ""]), expected


def test_c_packs_as_python_does(tmp_path):
    (tmp_path / "tiny.h").write_text(c_header(load("tiny"), "tiny"))
    source, expected = program(1)
    (tmp_path / "main.c").write_text(source)
    compiler = [tools.locate("c++"), "-x", "c", "-std=c99", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*compiler, "main.c", "-o", "main"], cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout
    assert bytes.fromhex(printed.decode()) == expected
