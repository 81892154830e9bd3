"""Commands that are interrupted at work: no half of a file, no process that runs on."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

import models.zoo
from hwgen.bench.networks import resnet18
from models.netfile import save

ROOT = Path(__file__).parents[2]
ZOO = Path(models.zoo.__file__).parent

SCRIPT = """
import importlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have ignored it for us
module, _, name = sys.argv[1].partition(":")
holder = importlib.import_module(module)
*outer, last = name.split(".")
for part in outer:
    holder = getattr(holder, part)
honest = getattr(holder, last)

def told(*arguments, **options):
    print("at work", flush=True)
    return honest(*arguments, **options)

setattr(holder, last, told)
from hwgen.cli import main
main(sys.argv[2:])
"""
"""Runs a command, and says so when it calls a function for which one has to wait."""

TRAINING = """
checkpoint_seconds = 1e-6
[network]
name = "fashion-small"
options = { width = 16 }
[data]
name = "generated"
options = { train = 3200, test = 64 }
[schedule]
epochs = 9
batch = 16
"""

COMMANDS = {
    "run": ("hwgen.driver:Driver.start", "run {zoo}/fashion_small.safetensors --config tiny"),
    "bench": (
        "hwgen.cycles.core:Core.run",
        "bench --part cifar --batch 1 --no-density --out {out}/bench.json",
    ),
    "synth": ("hwgen.flows.process:started", "synth tiny --module task_packer --out {out}"),
    "place": (
        "hwgen.flows.process:started",
        "synth tiny --module task_packer --timing --out {out}",
    ),
    "compile": (
        "hwgen.cycles.core:Core.run",
        "compile {folder}/net.safetensors --plans model --out {out}/program.safetensors",
    ),
    "train": (
        "models.training.trainer:save_checkpoint",
        "train {folder}/run.toml --device cpu --threads 1 --out {out}/run",
    ),
}


def processes(mark: str) -> list[str]:
    """Those that have inherited ``mark`` in their environment and have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            ours = mark.encode() in (path / "environ").read_bytes()
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
            if ours and state != "Z":
                found.append((path / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has just ended, or is of somebody else
            continue
    return found


@pytest.mark.parametrize("name, number", [
    ("run", signal.SIGINT), ("bench", signal.SIGTERM), ("synth", signal.SIGTERM),
    ("place", signal.SIGINT), ("compile", signal.SIGINT), ("train", signal.SIGINT),
])  # fmt: skip
def test_nothing_is_left(tmp_path, name, number):
    waits, arguments = COMMANDS[name]
    mark = uuid.uuid4().hex
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    out.mkdir()
    scratch.mkdir()
    (tmp_path / "run.toml").write_text(TRAINING)
    if name == "compile":
        save(resnet18(32), tmp_path / "net.safetensors")
    arguments = arguments.format(zoo=ZOO, out=out, folder=tmp_path).split()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, waits, *arguments],
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "TMPDIR": str(scratch), "HWGEN_TEST": mark}
        # What earlier runs have remembered would leave it nothing to be interrupted at.
        | (
            {"HWGEN_CACHE": str(tmp_path / "cache")}
            if name in ("synth", "place", "compile")
            else {}
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "at work\n", process.communicate()
    while len(processes(mark)) < {"synth": 2, "place": 3}.get(name, 1):
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)  # somewhere within
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == 128 + number
    # On a busy machine it had time to tell where it was.
    told = [line for line in errors.splitlines() if not re.match(r"\d+ s: ", line)]
    assert told[-1:] == (["hwgen: interrupted"] if number == signal.SIGINT else [])
    for _ in range(1000):  # killed, they take a moment to go
        if not processes(mark):
            break
        time.sleep(0.02)
    assert processes(mark) == []
    assert [path for path in scratch.rglob("*") if path.is_file()] == []
    written = [path for path in out.rglob("*") if path.is_file()]
    if name != "train":
        assert written == []
        return
    import torch

    content = torch.load(out / "run" / "checkpoint.pt", weights_only=True)
    assert content["step"] >= 1
    assert not any(path.name.startswith(".") for path in written)
