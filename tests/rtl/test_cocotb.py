"""Runs the cocotb tests of `sim` on the emitted Verilog."""

import importlib

import pytest

from hwgen.config import load
from hwgen.simulator.rtl.accelerator import verilog
from sim.blocks import emit
from sim.runner import run


def accelerator(simulator, name, module, folder, tests=None):
    config = load(name)
    return run(simulator, verilog(config), name, module, folder, config=config, tests=tests)


def test_accelerator(tmp_path):
    assert accelerator("verilator", "tiny", "sim.accelerator", tmp_path) == 8


def test_errors(tmp_path):
    assert accelerator("verilator", "tiny", "sim.errors", tmp_path) == 26


@pytest.mark.icarus
def test_accelerator_in_icarus(tmp_path):
    tests = "registers|counters|idle=0.4/backpressure=0.4"
    assert accelerator("icarus", "tiny", "sim.accelerator", tmp_path, tests) == 3


@pytest.mark.icarus
def test_errors_in_icarus(tmp_path):
    tests = "OPCODE|write_outside.*below|SLVERR.*tensor|refuses_a_write.*DECERR|channel=r$"
    assert accelerator("icarus", "tiny", "sim.errors", tmp_path, tests) == 5


@pytest.mark.icarus
@pytest.mark.parametrize(
    "name, tests", [("requantizer", 3), ("queue", 4), ("parallel_mac", 3), ("serial_mac", 3)]
)
def test_blocks_in_icarus(name, tests, tmp_path):
    module = f"sim.blocks.{name}"
    block = importlib.import_module(module).BLOCK
    assert run("icarus", emit(block, name), name, module, tmp_path) == tests
