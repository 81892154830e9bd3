"""Our cycles beside those of other models, which are played by a script here."""

import json
import sys
import time
from pathlib import Path

import pytest

from hwgen.bench.rivals import run_scalesim, run_zigzag
from hwgen.bench.side_by_side import LAYERS, RIVALS, Layer, measure, ours
from hwgen.cli import main
from hwgen.config import load
from hwgen.errors import UserError

LAYER = Layer("small", (16, 16), 8, 3)
ECHO = """#!{python}
import json, sys
request = json.loads(sys.argv[2])
with open({log!r}, "a") as file:
    file.write(json.dumps([sys.argv[1].rsplit("/", 1)[1], request]) + "\\n")
print(json.dumps([{{"cycles": 3 * layer["macs"], "seconds": 0.5}} for layer in request["layers"]]))
"""


@pytest.fixture
def python(tmp_path):
    """Stands for the Python of the others: says three cycles a product, and writes what it hears
    into ``told``.
    """
    path = tmp_path / "python"
    path.write_text(ECHO.format(python=sys.executable, log=str(tmp_path / "told")))
    path.chmod(0o755)
    return path


def test_others_get_the_same_layers_and_array(python, tmp_path):
    config = load("baseline8")
    found = measure(config, layers=[LAYER], python=python)
    heard = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert [script for script, _ in heard] == [rival.script for rival in RIVALS.values()]
    for _, request in heard:
        assert request["layers"] == [found["layers"][0]["layer"]]
        assert request["layers"][0]["macs"] == 8 * 8 * 16 * 16 * 9
    (stationary, other, zigzag) = (request["array"] for _, request in heard)
    assert (stationary["dataflow"], other["dataflow"]) == ("ws", "os")
    assert stationary["rows"] * stationary["columns"] == config.macs
    assert stationary["input_kb"] + stationary["output_kb"] == 128  # 4 banks of 4096 words
    assert stationary["weight_kb"] == 128 and stationary["bytes_a_cycle"] == 16
    assert zigzag["clusters"] * zigzag["engines"] * zigzag["lanes"] == config.macs
    assert zigzag["weight_buffer_bits"] == 8192 * 128
    (row,) = found["layers"]
    assert list(row["models"]) == [*RIVALS, "hwgen"]
    assert row["models"]["zigzag"]["utilization"] == pytest.approx(1 / 3 / config.macs)
    assert row["models"]["hwgen"] == ours(config, LAYER) | row["models"]["hwgen"] | {
        "seconds": pytest.approx(0, abs=60)
    }


def test_utilization():
    """A layer alone waits for its data; one image more hardly does."""
    config, layer = load("baseline8"), next(row for row in LAYERS if row.size == 16)
    found, least = ours(config, layer), layer.macs / config.macs
    assert least <= found["steady_cycles"] < 1.02 * least < found["cycles"]


def test_a_rival_that_takes_too_long(tmp_path, capsys):
    """The table comes all the same, and nothing of the rival runs on."""
    slow = tmp_path / "python"
    slow.write_text(
        f"#!/bin/sh\necho > $TMPDIR/half\nsleep 600 & echo $! $TMPDIR > {tmp_path}/told\nwait"
    )
    slow.chmod(0o755)
    out = tmp_path / "out.json"
    arguments = ["side-by-side", "tiny", "--only", "ResNet-20, 8x8", "--against", "scalesim-os"]
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--python", str(slow), "--seconds", "1", "--out", str(out)])
    assert end.value.code == 0 and "not in" in capsys.readouterr().out
    (row,) = json.loads(out.read_text())["layers"]
    assert row["models"]["scalesim-os"] == {"gave_up_after": 1.0}
    assert row["models"]["hwgen"]["cycles"] > 0
    process, folder = (tmp_path / "told").read_text().split()
    assert not Path(folder).exists()
    stat = Path(f"/proc/{process}/stat")
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.02)  # killed, it takes a moment to go


def test_scripts_need_nothing_to_be_read():
    """What they write for the others, from a request of ours."""
    layer = LAYER.as_dict()
    text = run_scalesim.CONFIG.format(**RIVALS["scalesim-os"].settings(load("tiny")))
    assert "ArrayHeight = 2\nArrayWidth = 4\n" in text and "Dataflow = os" in text
    array = run_zigzag.accelerator(RIVALS["zigzag"].settings(load("tiny")))
    assert array["operational_array"]["sizes"] == [1, 2, 4]
    (loops,) = run_zigzag.workload(layer)
    assert loops["loop_sizes"] == [1, 16, 16, 8, 8, 3, 3] and loops["padding"] == [[1, 1]] * 2


def test_the_command(python, tmp_path, capsys):
    out = tmp_path / "out.json"
    arguments = ["side-by-side", "tiny", "--against", "zigzag", "--only", "ResNet-20, 8x8"]
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--python", str(python), "--out", str(out), "--json"])
    assert end.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(out.read_text())
    assert list(printed["layers"][0]["models"]) == ["zigzag", "hwgen"]
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--python", str(python)])
    assert end.value.code == 0 and "ResNet-20, 8x8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--against", "timeloop"], "AGAINST: must be of scalesim, zigzag, .*, not 'timeloop'"),
        (["--only", "VGG"], "ONLY: must be part of a layer's name"),
        (["--python", "none"], "PYTHON: none cannot be run"),
        (["--python", "{without}"], "PYTHON: .* lacks scalesim .*pip install -r .*requirements"),
        (["--python", "{broken}"], "PYTHON: .*: scalesim-ws failed: no room"),
        (["--python", "{silent}"], "PYTHON: must be a Python, not .*silent"),
    ],
)
def test_mistakes(arguments, message, tmp_path, monkeypatch):
    for name, text in (
        ("without", "echo \"ModuleNotFoundError: No module named 'scalesim'\" >&2; exit 1"),
        ("broken", "echo no room >&2; exit 1"),
        ("silent", "exit 0"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    paths = {name: tmp_path / name for name in ("without", "broken", "silent")}
    arguments = [argument.format(**paths) for argument in arguments]
    with pytest.raises(UserError, match=message):
        from hwgen.cli.side_by_side import command

        command.main(["tiny", *arguments], standalone_mode=False)
