"""Running a script of a full Yosys; the one inside Amaranth can only convert."""

import subprocess
import tempfile
from pathlib import Path

from hwgen import processes
from hwgen.tools import environment, locate

__all__ = ["YosysFailed", "run_yosys"]


class YosysFailed(RuntimeError):
    """A script ended with an error; the message is the end of what Yosys said."""


def run_yosys(script: str, inputs: dict[str, str], outputs: tuple[str, ...] = ()) -> dict[str, str]:
    """Run a script in an empty folder that holds ``inputs``; return ``outputs``, and the
    ``log``."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**inputs, "script.ys": script}.items():
            Path(folder, name).write_text(text)
        result = processes.run(
            [locate("yosys"), "-q", "-l", "log", "script.ys"],
            cwd=folder,
            env=environment(TMPDIR=folder),
            stderr=subprocess.STDOUT,
        )
        if result.returncode:
            raise YosysFailed(result.stdout[-4000:].strip())
        found = {name: Path(folder, name).read_text() for name in outputs}
        return found | {"log": Path(folder, "log").read_text()}
