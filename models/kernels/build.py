"""The C functions of this folder, compiled for this machine on first use and kept in the user's
cache.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["library"]

SOURCE = Path(__file__).with_name("skipping.c")
FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC", "-w")


@cache
def library() -> ctypes.CDLL | None:
    """The compiled functions, or None where there is no C compiler."""
    compiler = (
        os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    )
    if compiler is None:
        return None
    source = SOURCE.read_bytes()
    made_of = source + repr((compiler, FLAGS, platform.machine(), platform.node())).encode()
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hwgen"
    path = folder / f"skipping-{hashlib.sha256(made_of).hexdigest()[:16]}.so"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=folder, suffix=".so")
        os.close(handle)
        try:
            subprocess.run(
                [compiler, *FLAGS, str(SOURCE), "-o", aside], check=True, capture_output=True
            )
            os.replace(aside, path)
        except (OSError, subprocess.CalledProcessError):
            Path(aside).unlink(missing_ok=True)
            return None
    return ctypes.CDLL(str(path))
