"""Running a program of a flow in a folder of its own, line by line."""

import subprocess
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from hwgen.processes import started
from hwgen.tools import environment, locate

__all__ = ["identity", "run_tool"]


def run_tool(
    tool: str,
    arguments: list[str],
    folder: Path | str,
    told: Callable[[str], None],
    log: str | None = None,
) -> int:
    """Run a program of :mod:`hwgen.tools` in ``folder``; returns its exit status.

    Parameters
    ----------
    tool
        Its name in :data:`hwgen.tools.TOOLS`.
    arguments
        Of its command line.
    folder
        Where it runs, and puts what it leaves behind when it is interrupted.
    told
        Called with each line that it prints, on either output.
    log
        Name of a file in ``folder`` to which it writes most of what it has to say: its lines are
        told first, as they come.
    """
    command, options = (
        [locate(tool), *arguments],
        {"cwd": folder, "env": environment(TMPDIR=str(folder))},
    )
    with started(command, stderr=subprocess.STDOUT, errors="replace", **options) as process:
        if log is not None:
            for line in _followed(Path(folder, log), process):
                told(line.rstrip())
        for line in process.stdout:
            told(line.rstrip())
    return process.returncode


def _followed(log: Path, process: subprocess.Popen) -> Iterator[str]:
    """The lines of a file that ``process`` writes, until it has ended."""
    log.touch()
    line = ""
    with log.open(errors="replace") as file:
        ended = False
        while not ended:
            ended = process.poll() is not None  # what comes later is not of its making
            for part in file:
                line += part
                if line.endswith("\n"):
                    yield line
                    line = ""
            if not ended:
                time.sleep(0.1)
    if line:
        yield line


def identity(tool: str, package: str) -> str:
    """What tells one version from another without starting it: PyPI's is pinned by its version."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        program = locate(tool)
        return f"{program} {program.stat().st_size} {program.stat().st_mtime_ns}"
