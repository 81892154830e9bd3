"""The command line: one line for a mistake, exit codes, clean output for programs."""

import json
import os
import subprocess
import sys

import click
import pytest

from hwgen import cli
from hwgen.bench.mac_energy import main as mac_energy
from hwgen.config import shipped_names
from hwgen.config.loading import fields
from hwgen.errors import UserError
from hwgen.files import write_atomic


@pytest.fixture
def run(capsys):
    """Call the command line; (exit code, standard output, standard error)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit:
            cli.main(list(arguments))
        captured = capsys.readouterr()
        return exit.value.code or 0, captured.out, captured.err

    return call


@pytest.fixture
def command(monkeypatch):
    """Replace ``hwgen configs`` by a function of the test."""

    def replace(function):
        from hwgen.cli import configs

        monkeypatch.setattr(configs.command, "callback", lambda **keywords: function())

    return replace


class TestMistakes:
    @pytest.mark.parametrize(
        "arguments, expected",
        [
            (["nonsense"], "No such command 'nonsense'. (hwgen --help)"),
            (["configs", "--nonsense"], "No such option"),
            (["configs", "--set"], "Option '--set' requires an argument."),
            (["configs", "nonsense"], "CONFIG: must be one of"),
            (["configs", "tiny", "--set", "array.lanes=3"], "SET array.lanes: must be a power"),
            (["configs", "tiny", "--set", "name='x"], "SET: must be field=value"),
            (["verilog"], "Missing argument 'CONFIG'."),
            (["verilog", "nonsense"], "CONFIG: must be one of"),
        ],
    )
    def test_are_one_line_and_exit_code_2(self, run, arguments, expected):
        code, out, err = run(*arguments)
        assert code == 2
        assert out == ""
        assert err.startswith("hwgen: ")
        assert expected in err
        assert err.count("\n") == 1

    @pytest.mark.parametrize("value", ["nan", "inf"])
    def test_what_is_no_number_is_in_no_range(self, value):
        commands = [cli.cli.get_command(None, name) for name in cli.cli.list_commands(None)]
        commands.append(mac_energy)
        options = [option for command in commands for option in command.params]
        ranges = [option for option in options if isinstance(option.type, click.FloatRange)]
        assert len(ranges) >= 10
        for option in ranges:
            with pytest.raises(click.BadParameter):
                option.type.convert(value, option, None)

    def test_even_if_the_message_has_several(self, run, command):
        def fail():
            raise UserError("first\n  second")

        command(fail)
        assert run("configs") == (2, "", "hwgen: first second\n")

    def test_a_missing_extra_is_named(self, run, command):
        def fail():
            raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")

        command(fail)
        code, _, err = run("configs")
        assert code == 2
        assert "pip install 'hwgen[models]'" in err

    def test_a_missing_module_of_ours_is_a_bug_and_keeps_its_traceback(self, command):
        def fail():
            raise ModuleNotFoundError("No module named 'hwgen.nonsense'", name="hwgen.nonsense")

        command(fail)
        with pytest.raises(ModuleNotFoundError):
            cli.main(["configs"])

    def test_a_file_that_cannot_be_written_is_named(self, run, command, tmp_path):
        def fail():
            write_atomic(tmp_path / "file" / "net", "")

        (tmp_path / "file").write_text("kept")
        command(fail)
        code, out, err = run("configs")
        assert (code, out) == (2, "") and err.count("\n") == 1
        assert str(tmp_path / "file") in err and "xists" in err

    def test_interrupted(self, run, command):
        def fail():
            raise KeyboardInterrupt

        command(fail)
        assert run("configs") == (130, "", "\nhwgen: interrupted\n")

    def test_a_reader_that_goes_away_is_no_error_message(self):
        reader, writer = os.pipe()
        os.close(reader)
        process = subprocess.run(
            [sys.executable, "-m", "hwgen", "configs", "cgnet8"],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        os.close(writer)
        assert process.stderr == ""


class TestProgress:
    def test_a_step_that_lasts_is_told(self, monkeypatch, capsys):
        """Though it has begun just after another was told, and nothing follows."""
        from hwgen.cli import _progress

        started = []

        class Timer:
            def __init__(self, pause, tell):
                assert 0 < pause <= _progress.PAUSE
                self.tell, self.ended = tell, False

            def start(self):
                started.append(self)

            def cancel(self):
                self.ended = True

        monkeypatch.setattr(_progress.threading, "Timer", Timer)
        with _progress.working() as (_, say):
            for step in ("packing", "placing"):
                say(step)
            assert capsys.readouterr().err == "" and len(started) == 1
            started[0].tell()
            assert capsys.readouterr().err == "0 s: placing\n"
            say("routing")
        assert [timer.ended for timer in started] == [False, True]


class TestGroup:
    def test_without_a_command_it_shows_them(self, run):
        code, out, err = run()
        assert code == 2
        assert "configs" in out + err and "verilog" in out + err

    def test_every_command_has_a_line_of_help(self, run):
        code, out, _ = run("--help")
        assert code == 0
        for name in cli.cli.list_commands(None):
            command = cli.cli.get_command(None, name)
            assert command.get_short_help_str(), name
            assert name in out

    def test_listing_commands_loads_nothing_heavy(self):
        code = (
            "import sys; from hwgen.cli import cli\n"
            "for name in cli.list_commands(None): cli.get_command(None, name)\n"
            "print(sorted({'torch', 'amaranth', 'cocotb', 'matplotlib'} & set(sys.modules)))"
        )
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert result.stdout == "[]\n"


class TestConfigs:
    def test_lists_all(self, run):
        code, out, _ = run("configs")
        assert code == 0
        assert [line.split()[0] for line in out.splitlines()[: len(shipped_names())]] == (
            shipped_names()
        )

    def test_lists_all_as_json(self, run):
        listed = json.loads(run("configs", "--json")[1])
        assert [config["name"] for config in listed] == shipped_names()

    def test_describes_every_field(self, run):
        code, out, _ = run("configs", "tiny")
        assert code == 0
        for name, info in fields():
            assert f"{name} = " in out
            assert info.description.split()[0] in out

    def test_describes_every_field_as_json(self, run):
        _, out, _ = run("configs", "tiny", "--set", "array.lanes=8", "--json")
        described = {field["name"]: field for field in json.loads(out)["fields"]}
        assert described["array.lanes"] == {
            "name": "array.lanes",
            "value": 8,
            "default": 8,
            "accepted": "a power of two from 2 to 32",
            "meaning": described["array.lanes"]["meaning"],
            "area": described["array.lanes"]["area"],
            "speed": described["array.lanes"]["speed"],
        }
        assert described["array.engines"]["value"] == 2
        assert described["name"]["value"] == "tiny"

    def test_settings_in_one_text_quoted_as_in_a_shell(self, run):
        settings = "array.lanes=8 description='a small one' array.queue=4"
        _, out, _ = run("configs", "tiny", "--set", settings, "--json")
        values = {field["name"]: field["value"] for field in json.loads(out)["fields"]}
        assert values["array.lanes"] == 8
        assert values["array.queue"] == 4
        assert values["description"] == "a small one"
