"""Running a program of a flow in a folder of its own, line by line."""

import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

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
        Where it runs.
    told
        Called with each line that it prints, on either output.
    """
    process = subprocess.Popen(
        [locate(tool), *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with process:
        try:
            for line in process.stdout:
                told(line.rstrip())
        except BaseException:
            process.kill()
            raise
    return process.returncode


def identity(tool: str, package: str) -> str:
    """What tells one version from another without starting it: PyPI's is pinned by its version."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        program = locate(tool)
        return f"{program} {program.stat().st_size} {program.stat().st_mtime_ns}"
