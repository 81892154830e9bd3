"""The C header is C, and says what the register map says."""

import re
import subprocess

import pytest

from hwgen import tools
from hwgen.c_header import c_header
from hwgen.config import load, shipped_names
from hwgen.isa.registers import ErrorCode, register_map

STRICT = ["-x", "c", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]


def macros(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^#define (\w+) (\S+)", text, re.MULTILINE)


@pytest.mark.parametrize("name", shipped_names())
def test_it_says_what_the_register_map_says(name):
    config = load(name)
    values = {macro: int(value.rstrip("u"), 0) for macro, value in macros(c_header(config, ""))}
    for register in register_map(config):
        assert values[f"HWGEN_{register['name']}"] == register["offset"]
        if register["access"] == "constant":
            assert values[f"{name.upper()}_{register['name']}"] == register["reset"]
        fields = register["fields"]
        if len(fields) > 1:
            masks = 0
            for field in fields:
                macro = f"HWGEN_{register['name']}_{field['name'].upper()}"
                assert values[f"{macro}_LSB"] == field["low"]
                mask = values[f"{macro}_MASK"]
                assert mask >> field["low"] == (1 << field["bits"]) - 1
                assert not masks & mask
                masks |= mask
    assert values["HWGEN_ERROR_WATCHDOG"] == ErrorCode.WATCHDOG


def test_no_name_is_defined_twice():
    names = [macro for macro, _ in macros(c_header(load("cgnet8"), ""))]
    assert len(names) == len(set(names))


def test_headers_of_different_accelerators_go_together(tmp_path):
    """One driver serves all: what is not the configuration's own does not depend on it."""
    configs = [load(name) for name in shipped_names()]
    configs.append(load("tiny", ["name=wide", "bus.address_width=40", "control.watchdog_bits=9"]))
    source = ""
    for config in configs:
        banner = "first line\n*/ second line /* with odd characters: \" ' %"
        (tmp_path / f"{config.name}.h").write_text(c_header(config, banner))
        source += f'#include "{config.name}.h"\n' * 2
    hashes = ", ".join(f"{config.name.upper()}_HASH_HIGH" for config in configs)
    source += f"const unsigned hashes[] = {{{hashes}}};\n"
    result = subprocess.run(
        [tools.locate("c++"), *STRICT, "-fsyntax-only", "-I", tmp_path, "-"],
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
