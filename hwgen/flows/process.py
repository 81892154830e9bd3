"""Running a program of a flow in a folder of its own, line by line."""

import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from hwgen.processes import started
from hwgen.tools import environment, locate

__all__ = ["identity", "run_tool"]


def run_tool(
    tool: str, arguments: list[str], folder: Path | str, told: Callable[[str], None]
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
    """
    command, options = (
        [locate(tool), *arguments],
        {"cwd": folder, "env": environment(TMPDIR=str(folder))},
    )
    with started(command, stderr=subprocess.STDOUT, errors="replace", **options) as process:
        for line in process.stdout:
            told(line.rstrip())
    return process.returncode


def identity(tool: str, package: str) -> str:
    """What tells one version from another without starting it: PyPI's is pinned by its version."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        program = locate(tool)
        return f"{program} {program.stat().st_size} {program.stat().st_mtime_ns}"
