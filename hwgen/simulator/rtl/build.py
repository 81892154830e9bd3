"""Verilog to a shared library, built once for each text and kept."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from ... import processes
from ...errors import UserError
from ...tools import environment, locate

__all__ = ["NotBuilt", "build", "cache_folder"]

TRACE_HEADERS = {"zlib.h": "zlib1g-dev", "lz4.h": "liblz4-dev"}
"""Of the libraries that compress an FST file, and the Debian packages that have them."""

HARNESS = Path(__file__).with_name("harness.cpp")


class NotBuilt(UserError):
    """There is no simulator: says nothing about what it would have run."""


def cache_folder() -> Path:
    """Where built simulators are kept: $HWGEN_CACHE, or the user's cache folder."""
    if folder := os.environ.get("HWGEN_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hwgen"


def build(verilog: str, *, top: str, beat_bytes: int, trace: bool = False) -> Path:
    """Shared library of ``verilog`` with the harness; from the cache if it was built before.

    Raises
    ------
    NotBuilt
        If Verilator or the compiler fails.
    """
    recipe = f"{top} {beat_bytes} {trace}\n".encode() + HARNESS.read_bytes() + verilog.encode()
    target = cache_folder() / "rtl" / f"{top}-{hashlib.sha256(recipe).hexdigest()[:24]}.so"
    if target.exists():
        return target
    verilator, compiler = locate("verilator"), locate("c++")
    for name in ("make", "perl"):  # Verilator calls them
        locate(name)
    if trace:
        _check_headers(compiler)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Verilator's own sources are the same for every design.
    common = target.parent / f"verilated-{_key(compiler, verilator)}{'-trace' * trace}"
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch)
        (folder / "obj_dir").mkdir()
        for known in common.glob("*.o"):
            shutil.copy(known, folder / "obj_dir")
        (folder / f"{top}.v").write_text(verilog)
        flags = f"-fPIC -DBEAT={beat_bytes} -DTOP_CLASS=V{top} -DTOP_HEADER='\"V{top}.h\"'"
        command = [str(verilator), "--cc", "--build", "-j", "2", "-O3", "--top-module", top]
        command += ["--x-assign", "fast", "--x-initial", "fast", "--noassert", "-Wno-fatal"]
        command += ["-Wno-lint", "-CFLAGS", flags + (" -DHWGEN_TRACE" if trace else "")]
        command += ["--output-split", "20000", "--output-split-cfuncs", "2000"]
        make = f"CXX={compiler} LINK={compiler} OPT_FAST=-O2 OPT_SLOW=-O0"
        command += ["-MAKEFLAGS", f"CFG_CXXFLAGS_PCH_I=-include {make}"]
        command += ["--trace-fst"] if trace else []
        command += ["--exe", str(HARNESS), f"{top}.v", "-LDFLAGS", "-shared"]
        command += ["-o", "simulator.so"]
        # What a compiler leaves behind when it is interrupted goes with the folder.
        result = processes.run(command, cwd=folder, env=environment(TMPDIR=str(folder)))
        built = folder / "obj_dir" / "simulator.so"
        if result.returncode or not built.exists():
            log = target.with_suffix(".log")
            log.write_text(result.stdout + result.stderr)
            raise NotBuilt(f"{top}: the simulator could not be built; see {log}")
        if not common.exists():
            _keep(sorted((folder / "obj_dir").glob("verilated*.o")), common)
        shutil.move(built, folder / "done.so")
        os.replace(folder / "done.so", target)
    return target


def _key(*tools: Path) -> str:
    """Tells versions of tools apart: where they are, how large and how old."""
    facts = [(str(tool.resolve()), tool.stat().st_size, tool.stat().st_mtime_ns) for tool in tools]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def _keep(objects: list[Path], folder: Path) -> None:
    """Put ``objects`` into a new ``folder``, all at once, unless somebody else just has."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        ready = Path(scratch) / "ready"
        ready.mkdir()
        for path in objects:
            shutil.copy(path, ready)
        with contextlib.suppress(OSError):
            os.rename(ready, folder)


def _check_headers(compiler: Path) -> None:
    """Refuse to trace without the headers that it needs."""
    for header, package in TRACE_HEADERS.items():
        command = [str(compiler), "-E", "-x", "c++", "-include", header, os.devnull]
        if processes.run(command, env=environment()).returncode:
            raise UserError(
                f"--trace: {compiler.name} does not find {header}, which FST files need; install "
                f"it (apt-get install {package})"
            )
