"""Simulations with cocotb's runner: built once for each Verilog text, kept, and run."""

import hashlib
import os
import re
import sys
import warnings
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from hwgen.config import Config
from hwgen.simulator.rtl.build import cache_folder
from hwgen.tools import activate, locate

from .bench import CONFIG_VARIABLE

__all__ = ["run"]

ROOT = Path(__file__).parents[1]
TIMESCALE = ("1ns", "1ps")
MAKE_VARIABLES = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1"
"""For the makefile that Verilator writes: it is the compiler that takes the time of these tests."""


def run(
    simulator: str,
    verilog: str,
    top: str,
    module: str,
    folder: Path,
    *,
    config: Config | None = None,
    tests: str | None = None,
    environment: dict[str, str] | None = None,
) -> int:
    """Run the cocotb tests of ``module`` on ``verilog``; returns how many have passed.

    Parameters
    ----------
    simulator
        "verilator" or "icarus".
    verilog, top
        The design, and the name of its top module.
    module
        Dotted name of the Python module with the tests.
    folder
        For the log and the results.
    config
        What the design was generated from, for :func:`sim.bench.configuration`.
    tests
        Regular expression; by default all tests of the module.
    environment
        More environment variables for the tests.

    Raises
    ------
    AssertionError
        With the tests that have failed, if one has, or if none has run.
    """
    locate("verilator" if simulator == "verilator" else "iverilog")
    activate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cocotb's own runner is not this project's business
        from cocotb_tools.runner import get_runner

    runner = get_runner(simulator)
    if simulator == "icarus":
        verilog = _with_random_memories(verilog)
    build_folder = _build(runner, simulator, verilog, top)
    results = folder / "results.xml"
    variables = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "COCOTB_LOG_LEVEL": "WARNING",
        **(environment or {}),
    }
    if config is not None:
        variables[CONFIG_VARIABLE] = config.model_dump_json()
    log = folder / "simulation.log"
    try:
        runner.test(
            test_module=module,
            hdl_toplevel=top,
            hdl_toplevel_lang="verilog",
            build_dir=build_folder,
            test_dir=folder,
            results_xml=str(results),
            seed=1,
            extra_env=variables,
            timescale=TIMESCALE if simulator == "icarus" else None,
            test_filter=tests,
            log_file=log,
        )
    except SystemExit as end:
        raise AssertionError(f"{simulator} ended with {end}:\n{_tail(log)}") from None
    return _passed(results, log)


def _build(runner, simulator: str, verilog: str, top: str) -> Path:
    """The folder of the compiled simulation, from the cache if this text was compiled before."""
    key = hashlib.sha256(f"{simulator} {top} {TIMESCALE}\n{verilog}".encode()).hexdigest()[:24]
    folder = cache_folder() / "cocotb" / f"{top}-{simulator}-{key}"
    done = folder / "done"
    if done.exists():
        # The runner knows where things are from its build step only; nothing is out of date.
        runner.build_dir = folder
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{top}.v"
    source.write_text(verilog)
    sources, arguments = [source], []
    if simulator == "verilator":
        from cocotb_tools.runner import VerilatorControlFile

        # Ports alone are visible: with every signal public Verilator could not optimize anything.
        control = folder / "ports.vlt"
        ports = "\n".join(
            f'public_flat_rw -module "{top}" -var "{port}"' for port in _ports(verilog, top)
        )
        control.write_text(f"`verilator_config\n{ports}\n")
        sources.append(VerilatorControlFile(control))
        arguments = ["--no-public-flat-rw", "-Wno-fatal", "-Wno-lint", "-O3", "--noassert"]
        arguments += ["--output-split", "20000", "--output-split-cfuncs", "2000"]
    outer = os.environ.get("MAKEFLAGS")
    os.environ["MAKEFLAGS"] = MAKE_VARIABLES
    try:
        runner.build(
            sources=sources,
            hdl_toplevel=top,
            build_dir=folder,
            build_args=arguments,
            timescale=TIMESCALE,
            always=True,
            log_file=folder / "build.log",
        )
    except RuntimeError:
        tail = _tail(folder / "build.log")
        raise AssertionError(f"{simulator} could not compile {top}:\n{tail}") from None
    finally:
        del os.environ["MAKEFLAGS"]
        if outer is not None:
            os.environ["MAKEFLAGS"] = outer
    done.touch()
    return folder


def _with_random_memories(verilog: str) -> str:
    """The design with random bits in its memories at the start, where the file has zeros.

    What is random shows if anybody uses it.
    """

    def filled(zeros: re.Match) -> str:
        words = ", ".join(["$random"] * -(-int(zeros[2]) // 32))
        return f"{zeros[1]}{{{words}}};"

    return re.sub(
        r"^(  initial for \([^)]*\)\s\w+\[\w+\] =\s+)(\d+)'d0;", filled, verilog, flags=re.M
    )


def _ports(verilog: str, top: str) -> list[str]:
    """Names of the ports of ``top``."""
    body = re.search(rf"^module {top}\b.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)[0]
    return re.findall(r"^\s*(?:input|output)\b[^;,)]*?(\w+)\s*[;,)\n]", body, re.MULTILINE)


def _passed(results: Path, log: Path) -> int:
    """Icarus ends normally when a test fails: the results file tells."""
    assert results.exists(), f"the simulation left no results:\n{_tail(log)}"
    cases = list(ElementTree.parse(results).iter("testcase"))
    assert cases, f"no test has run:\n{_tail(log)}"
    bad = [
        case.get("name")
        for case in cases
        if any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
    ]
    assert not bad, f"failed: {', '.join(bad)}\n{_tail(log)}"
    return len(cases)


def _tail(log: Path, lines: int = 80) -> str:
    """The end of a simulation's log."""
    return "\n".join(log.read_text().splitlines()[-lines:]) if log.exists() else ""
