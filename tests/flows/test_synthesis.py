"""Synthesis of small modules, and the command line."""

import json
import re
import signal
import sys
import threading
from collections import Counter
from dataclasses import replace

import pytest

from hwgen.config import load
from hwgen.errors import UserError
from hwgen.flows import Libraries, synthesis, synthesize
from hwgen.flows import modules as modules_of_flows
from hwgen.flows.parts import PARTS
from hwgen.memory import MemoryUse
from hwgen.processes import started
from tests.flows.test_counting import CELLS, sram

MEMORY = re.compile(r"ram_4x(\d+)_lut_async")
"""A memory of 4 rows that is read asynchronously."""


@pytest.fixture
def queue(tiny_artifacts):
    """A queue, with pointers of its own, and the bits of a row of its memory."""
    modules = modules_of_flows.split(tiny_artifacts.verilog).values()
    queues = [
        (module.name, int(memory[1]))
        for module in modules
        if module.name.startswith("stream_fifo")
        for child in module.children
        if (memory := MEMORY.fullmatch(child))
    ]
    return max(queues, key=lambda found: found[1])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch, generated_once):
    """No module is known yet, and none stays known."""
    monkeypatch.setenv("HWGEN_CACHE", str(tmp_path / "cache"))


def test_fpga_and_cache(queue, monkeypatch):
    queue, width = queue
    first = synthesize(load("tiny"), "ecp5", module=queue)
    assert first.total["lutram"] == 4 * -(-width // 4)
    assert [(b.use.depth, b.use.width, b.use.count, b.form) for b in first.memories] == [
        (4, width, 1, "LUT RAM")
    ]
    assert 0 < first.total["ff"] < width and first.total["dsp"] == first.total["bram"] == 0
    # The same again without Yosys, also in a larger whole's name.
    monkeypatch.setattr(modules_of_flows, "run_statistics", None)
    again = synthesize(load("tiny"), "ecp5", module=queue)
    assert again.as_dict() == first.as_dict()


def test_what_does_not_fit_ends_the_router(queue, monkeypatch):
    """The count tells it while the other is at work, which then ends."""
    queue, width = queue
    at_work, ended = threading.Event(), []

    def route(*_):
        with started([sys.executable, "-c", "import time; time.sleep(3600)"]) as process:
            at_work.set()
            process.wait()
        ended.append(process.returncode)

    def count(*arguments, **options):
        assert at_work.wait(60)
        return honest(*arguments, **options)

    honest = synthesis.cells_of_modules
    monkeypatch.setattr(synthesis, "cells_of_modules", count)
    monkeypatch.setattr(synthesis, "route", route)
    part = replace(PARTS["lfe5u-85f"], available={"dsp": 1, "lutram": 3})
    monkeypatch.setattr(synthesis, "part_named", lambda *_: part)
    taken = 4 * -(-width // 4)
    told = rf"{queue} does not fit lfe5u-85f: it takes {taken:,} LUT RAM of 3 \({taken - 3:,} too"
    with pytest.raises(UserError, match=told):
        synthesize(load("tiny"), "ecp5", module=queue, aim=synthesis.Aim())
    assert ended == [-signal.SIGKILL]


@pytest.mark.parametrize(
    ("macro_area", "form", "memory_area"),
    [(7000.0, "1 x 64x64", 7000.0), (8000.0, "flip-flops", 148 * 40.5 + 200 * 7.25)],
)
def test_asic(tmp_path, monkeypatch, macro_area, form, memory_area):
    """Areas of given cells: of a block, of its memory, and of the smaller way to make that."""
    cells = {
        "thresholds": {"NAND": 10, "DFF": 3, "store": 1},
        "store": {"NAND": 200, "DFF": 148},
    }
    (tmp_path / "cells.lib").write_text(CELLS)
    sram_folder = tmp_path / "sram"
    sram_folder.mkdir()
    (sram_folder / "m.lib").write_text(sram("m", 6, 64, macro_area, "A:RW B:RW"))
    libraries = Libraries.read((tmp_path / "cells.lib",), sram_folder)
    uses = {"store": MemoryUse("store", 4, 37, None, "block", False)}
    contents = {name: Counter(found) for name, found in cells.items()}
    macros = synthesis.stay_out(uses, libraries)
    assert macros == {}  # 148 bits of 40.5 µm² could be less than a macro
    costs, forms = synthesis.areas(contents, uses, macros, libraries)
    assert forms == {"store": (form, memory_area)}
    assert costs["thresholds"] == Counter(cells=13, ff=3, area=3 * 40.5 + 10 * 7.25)
    assert costs["store"]["area"] == memory_area
    assert costs["store"]["memory_area"] == (0 if form == "flip-flops" else memory_area)


def test_command_line(queue, tmp_path, capsys):
    from hwgen.cli import main

    queue, width = queue
    with pytest.raises(SystemExit) as end:
        main(
            ["synth", "tiny", "--target", "ice40", "--module", queue]
            + ["--json", "--out", str(tmp_path)]
        )
    assert end.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["target"] == "ice40" and printed["total"]["lutram"] == 0
    assert printed["total"]["ff"] >= 4 * width  # iCE40 has no LUT RAM
    assert json.loads((tmp_path / f"tiny_{queue}_ice40.json").read_text()) == printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny", "--target", "vax"], "TARGET: must be one of ecp5, ice40, gowin, xilinx, asic"),
        (["tiny", "--module", "fetsh"], "MODULE: must be a module of tiny, such as fetch"),
        (["tiny", "--module", ""], "MODULE: must be a module of tiny, such as tiny"),
        (["tiny", "--target", "asic"], "LIBERTY: must name a Liberty file"),
        (["tiny", "--target", "asic", "--liberty", "none.lib"], "LIBERTY: no file 'none.lib'"),
        (["tiny", "--target", "ecp5", "--sram", "."], "SRAM: is for target asic only"),
        (["tiny", "cgnet8", "--compare", "--timing"], "TIMING: is of one configuration"),
        (["tiny", "--part", "up5k"], "PART: is for --timing only"),
        (["tiny", "--seeds", "2"], "SEEDS: is for --timing on an FPGA only"),
        (["tiny", "--timing", "--part", "up5k"], "PART: must be one of lfe5u-85f, lfe5u-45f"),
        (["tiny", "--timing", "--target", "xilinx"], "to be routed, not 'xilinx'"),
        (["tiny", "--compare"], "CONFIG: must be two configurations with --compare"),
        (["tiny", "cgnet8"], "CONFIG: must be one configuration"),
        (["huge"], "huge"),
    ],
)
def test_one_line_for_users(arguments, message, capsys):
    from hwgen.cli import main

    with pytest.raises(SystemExit) as end:
        main(["synth", *arguments])
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert message in error and error.count("\n") == 1


def test_rejected_liberty(queue, tmp_path, capsys):
    from hwgen.cli import main

    path = tmp_path / "poor.lib"
    path.write_text(CELLS.replace("cell (NOR)", "poor (NOR)"))
    with pytest.raises(SystemExit) as end:
        main(["synth", "tiny", "--target", "asic", "--module", queue[0], "--liberty", str(path)])
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert error.startswith("hwgen: LIBERTY: Yosys rejects poor.lib: ") and error.count("\n") == 1
