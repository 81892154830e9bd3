"""Runs the cocotb tests of `sim` on the emitted Verilog."""

import pytest

from hwgen.config import load
from hwgen.simulator.rtl.accelerator import verilog
from sim.runner import run


def accelerator(simulator, name, module, folder, tests=None):
    config = load(name)
    return run(simulator, verilog(config), name, module, folder, config=config, tests=tests)


def test_tiny_works(tmp_path):
    assert accelerator("verilator", "tiny", "sim.accelerator", tmp_path) == 7
