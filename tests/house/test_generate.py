"""The files of an accelerator: all or none, and the same from run to run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hwgen.generate
from hwgen import cli
from hwgen.c_driver import driver_files
from hwgen.config import load
from hwgen.errors import UserError
from hwgen.generate import Artifacts, generate
from hwgen.isa.registers import register_map

ROOT = Path(__file__).parents[2]


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


DRIVER = {"driver_h": "hwgen_driver.h", "driver_c": "hwgen_driver.c"}


@pytest.fixture
def instant(monkeypatch):
    """Generate at once what stands for an accelerator: these tests are about the files."""

    def generate(config, progress):
        progress("working")
        text = f"{config.array.lanes} lanes\n"
        return Artifacts(config, verilog=text, document={"lanes": config.array.lanes}, header=text)

    monkeypatch.setattr(hwgen.generate, "generate", generate)


@pytest.fixture
def run(capsys):
    """Call ``hwgen verilog``; (exit code, standard output, standard error)."""

    def call(*arguments) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit:
            cli.main(["verilog", *map(str, arguments)])
        captured = capsys.readouterr()
        return exit.value.code or 0, captured.out, captured.err

    return call


@pytest.mark.usefixtures("instant")
class TestCommand:
    def test_writes_the_files(self, run, tmp_path):
        code, out, err = run("tiny", "--out", tmp_path / "new" / "folder")
        assert code == 0
        assert err == ""
        assert (
            contents(tmp_path / "new" / "folder")
            == {
                "tiny.v": "4 lanes\n",
                "tiny.h": "4 lanes\n",
                "tiny.json": '{\n  "lanes": 4\n}\n',
            }
            | driver_files()
        )
        for kind in ("v", "h", "json"):
            assert f"tiny.{kind}" in out

    def test_says_what_it_wrote_as_json(self, run, tmp_path):
        code, out, _ = run("tiny", "--set", "array.lanes=8", "--out", tmp_path, "--json")
        assert code == 0
        assert json.loads(out) == {
            "name": "tiny",
            "hash": load("tiny", ["array.lanes=8"]).hash,
            "files": {kind: str(tmp_path / f"tiny.{kind}") for kind in ("v", "json", "h")}
            | {kind: str(tmp_path / name) for kind, name in DRIVER.items()},
        }

    @pytest.mark.parametrize(
        "arguments",
        [
            ["tiny", "--set", "array.lanes=3"],
            ["tiny", "--set", "array.group=16"],
            ["tiny", "--set", "array.nonsense=3"],
            ["nonsense"],
            ["nonsense.toml"],
        ],
    )
    def test_a_mistake_leaves_earlier_files_as_they_were(self, run, tmp_path, arguments):
        run("tiny", "--out", tmp_path)
        before = contents(tmp_path)
        code, out, err = run(*arguments, "--out", tmp_path)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert contents(tmp_path) == before

    def test_a_failure_of_ours_leaves_earlier_files_as_they_were(self, run, tmp_path, monkeypatch):
        run("tiny", "--out", tmp_path)
        before = contents(tmp_path)

        def fail(config, progress):
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(hwgen.generate, "generate", fail)
        with pytest.raises(ZeroDivisionError):
            cli.main(["verilog", "tiny", "--out", str(tmp_path)])
        assert contents(tmp_path) == before

    def test_no_file_is_written_if_one_cannot_be(self, run, tmp_path):
        (tmp_path / "tiny.h").mkdir()
        code, _, err = run("tiny", "--out", tmp_path)
        assert code == 2
        assert err.startswith("hwgen: OUT: must be a folder that can be written, not ")
        assert err.endswith("(Is a directory)\n")
        assert contents(tmp_path) == {}

    def test_a_folder_that_is_a_file(self, run, tmp_path):
        (tmp_path / "file").write_text("kept")
        code, _, err = run("tiny", "--out", tmp_path / "file")
        assert code == 2
        assert err.count("\n") == 1
        assert contents(tmp_path) == {"file": "kept"}


def test_a_name_that_is_a_keyword_is_refused():
    with pytest.raises(UserError, match="must not be a keyword of Verilog, as 'module' is"):
        generate(load("tiny", ["name=module"]))


@pytest.fixture(scope="module")
def tiny():
    return generate(load("tiny"))


class TestAccelerator:
    """The real thing, once: the smallest one."""

    def test_the_three_files_name_the_same_configuration(self, tiny):
        config = load("tiny")
        assert f"// Configuration hash: {config.hash}\n" in tiny.verilog
        assert f"// Configuration hash: {config.hash}\n" in tiny.header
        assert tiny.document["hash"] == config.hash
        assert tiny.document["config"] == config.model_dump()
        assert tiny.document["derived"]["macs"] == 8
        assert tiny.document["registers"] == register_map(config)

    def test_the_top_module_has_the_name_of_the_configuration(self, tiny):
        assert len(re.findall(r"^module tiny\b", tiny.verilog, re.MULTILINE)) == 1

    def test_all_memories_are_listed(self, tiny):
        config = load("tiny")
        sizes = {(use["name"], use["depth"] * use["count"]) for use in tiny.document["memories"]}
        words = config.array.clusters * config.memory.activation_words
        assert words in [depth for _, depth in sizes]
        assert config.memory.weight_words in [depth for _, depth in sizes]
        for use in tiny.document["memories"]:
            assert use["bits"] == use["depth"] * use["width"] * use["count"]

    def test_another_process_in_another_folder_writes_the_same_bytes(self, tiny, tmp_path):
        environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, "-m", "hwgen", "verilog", "tiny", "--out", "out"],
            cwd=tmp_path,
            env=environment,
            check=True,
        )
        ours = tiny.write(tmp_path / "ours")
        assert contents(tmp_path / "out") == contents(tmp_path / "ours")
        names = {"tiny.h", "tiny.json", "tiny.v", *DRIVER.values()}
        assert {path.name for path in ours.values()} == names
