"""What all tests share: the environment of the tools, and a loud word about what could not run."""

import os

import pytest

from hwgen import tools

ICARUS_MISSING = "not run: iverilog not found (apt-get install iverilog)"


def pytest_configure(config):
    """Let every test, and every process it starts, find the pinned tools."""
    tools.activate()
    # The Yosys of the Amaranth package, so that Verilog is the same on every machine.
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    # Tests run side by side; each process with a thread a processor would only slow them down.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items):
    """Icarus comes from the system only: without it, its tests are reported as not run."""
    if tools.find("iverilog") is not None:
        return
    for item in items:
        if item.get_closest_marker("icarus"):
            item.add_marker(pytest.mark.skip(reason=ICARUS_MISSING))


def pytest_terminal_summary(terminalreporter):
    """Say in the last lines what was left out, so that nobody takes it for tested."""
    missing = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if ICARUS_MISSING in str(report.longrepr)
    ]
    if missing:
        terminalreporter.section("Icarus Verilog", red=True, bold=True)
        terminalreporter.line(f"{len(missing)} tests {ICARUS_MISSING}", red=True, bold=True)
