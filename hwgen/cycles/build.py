"""The core of the model: C++ sources to a shared library, built once for each text and kept."""

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

from ..errors import UserError
from ..isa.instructions import INSTRUCTIONS
from ..isa.parameters import RECORD
from ..processes import run
from ..simulator.rtl.build import cache_folder
from ..tools import environment, locate

__all__ = ["MOST_FIELDS", "build"]

SOURCES = Path(__file__).with_name("core")
FLAGS = ["-std=c++17", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-exceptions"]
FLAGS += ["-Wall", "-Wextra", "-Werror"]
_NAMES = {"signed": "is_signed"}  # C++ has that word
MOST_FIELDS = max(len(instruction.fields) for instruction in INSTRUCTIONS)


def _fields_header() -> str:
    """The fields of each instruction as a structure, in the order of the instruction set."""
    channel, byte = next((field, low) for field, low in RECORD if field.name == "channel")
    lines = [
        "// Made from hwgen/isa.",
        "#pragma once",
        "#include <cstdint>",
        "#include <cstring>",
        "namespace hwgen {",
        f"constexpr unsigned MOST_FIELDS = {MOST_FIELDS};",
        f"constexpr unsigned CHANNEL_BYTE = {byte}, CHANNEL_MASK = {(1 << channel.bits) - 1};",
    ]
    for instruction in INSTRUCTIONS:
        if instruction.fields:
            names = ", ".join(_NAMES.get(f.name, f.name) for f in instruction.fields)
            lines.append(f"struct {instruction.name.capitalize()}Fields {{ int64_t {names}; }};")
    lines += [
        "template <class Fields> void read_fields(Fields &to, const int64_t *from) {",
        "    std::memcpy(&to, from, sizeof to);",
        "}",
        "}  // namespace hwgen",
    ]
    return "\n".join(lines) + "\n"


@cache
def build() -> Path:
    """The library."""
    texts = {path.name: path.read_bytes() for path in sorted(SOURCES.iterdir())}
    texts["fields.h"] = _fields_header().encode()
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for name, text in texts.items():
        digest.update(name.encode() + text)
    target = cache_folder() / "cycles" / f"cycles-{digest.hexdigest()[:24]}.so"
    if target.exists():
        return target
    compiler = locate("c++")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch)
        for name, text in texts.items():
            (folder / name).write_bytes(text)
        command = [str(compiler), *FLAGS, "cycles.cpp", "-o", "cycles.so"]
        # What the compiler leaves behind when it is interrupted goes with the folder.
        result = run(command, cwd=folder, env=environment(TMPDIR=scratch))
        if result.returncode:
            log = target.with_suffix(".log")
            log.write_text(result.stdout + result.stderr)
            raise UserError(f"the cycle model could not be built; see {log}")
        os.replace(folder / "cycles.so", target)
    return target
