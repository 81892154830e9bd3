"""The C driver: strict C99, and on the simulated Verilog the same as the integers say."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hwgen import tools
from hwgen.c_driver import driver_files
from hwgen.c_header import c_header
from hwgen.compiler.cfile import program_header
from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.driver import Driver, HardwareError
from hwgen.isa.registers import COUNTERS
from hwgen.simulator.rtl import RtlSimulator, library
from models.netfile import load as load_network
from models.reference import prepare
from models.reference import run as reference
from models.zoo.synthetic import every_kind

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONFIG = load("tiny")


def write_driver(folder: Path) -> None:
    for name, text in driver_files().items():
        (folder / name).write_text(text)


def run_in_c(folder: Path, network, pixels: np.ndarray, *more: str) -> list[str]:
    """Lines that ``simulated.c`` prints for ``network`` on the simulated accelerator."""
    write_driver(folder)
    compiled = compile_network(network, CONFIG)
    (folder / "network.h").write_text(program_header(compiled))
    name = re.search(r"struct hwgen_program (\w+) =", (folder / "network.h").read_text())[1]
    (folder / "pixels").write_bytes(pixels.tobytes())
    defines = ['-DPROGRAM_HEADER="network.h"', f"-DPROGRAM={name}"]
    sources = [HERE / "simulated.c", folder / "hwgen_driver.c"]
    subprocess.run(
        [tools.locate("cc"), *STRICT, "-O1", *defines, "-I", folder, *sources, "-o", "run", "-ldl"],
        cwd=folder,
        check=True,
    )
    command = [folder / "run", library(CONFIG), folder / "pixels", str(len(pixels))]
    command += more
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    return result.stdout.splitlines()


def outputs(lines: list[str], network) -> list[dict[str, list[int]]]:
    """The results of each run."""
    names = [layer.name for layer in network.outputs]
    found = [line for line in lines if line.startswith("output ")]
    values = [list(map(int, line.partition(":")[2].split())) for line in found]
    runs = range(0, len(found), len(names))
    return [dict(zip(names, values[n : n + len(names)], strict=True)) for n in runs]


def told(lines: list[str], what: str) -> str:
    found = [line for line in lines if line.startswith(f"{what}: ")]
    assert len(found) == 1, lines
    return found[0].partition(": ")[2]


def compare(lines: list[str], network, images: np.ndarray) -> None:
    """One run after the other equals the integer reference."""
    expected = reference(network, images).outputs
    got = outputs(lines, network)
    assert len(got) == len(images)
    for number, result in enumerate(got):
        for name, values in result.items():
            assert values == expected[name][number].ravel().tolist()


def test_the_shipped_network(tmp_path):
    network = load_network(ROOT / "models" / "zoo" / "fashion_small.safetensors")
    with np.load(ROOT / "models" / "zoo" / "fashion_sample.npz") as sample:
        pixels = sample["images"][:1]
    compare(run_in_c(tmp_path, network, pixels), network, prepare(network, pixels))


class TestEveryKind:
    """Two results, signed and unsigned, scaled input, channels out of order; then mistakes."""

    network = every_kind(5)
    pixels = np.random.default_rng(3).integers(0, 256, (4, 3, 9, 7)).astype(np.uint8)

    @pytest.fixture(scope="class")
    @classmethod
    def lines(cls, tmp_path_factory):
        return run_in_c(tmp_path_factory.mktemp("c"), cls.network, cls.pixels, "mistakes")

    def test_all_results(self, lines):
        """Each image as pixels, one as integers, and that once more after an error and a reset."""
        integers = (np.arange(self.pixels[0].size) % 100 - 50).reshape(self.pixels[0].shape)
        images = [*prepare(self.network, self.pixels), integers, integers]
        compare(lines, self.network, np.stack(images))

    def test_counters(self, lines):
        with RtlSimulator(library(CONFIG), memory_bytes=1 << 24) as simulator:
            session = Driver(simulator, CONFIG).load(
                compile_network(self.network, CONFIG), 1 << 24, 0x10000
            )
            session.run(prepare(self.network, self.pixels)[-1])
            counters = session.driver.counters()
        assert [*counters] == [*COUNTERS]
        in_c = {name: int(told(lines, f"counter {name}")) for name in COUNTERS}
        for name in ("INSTRUCTIONS", "ARRAY_BUSY", "BYTES_READ", "BYTES_WRITTEN", "FIRED"):
            assert in_c[name] == counters[name] > 0

    def test_barriers_before_and_after_each_run(self, lines):
        finished, reset, failed = len(self.pixels) + 2, 1, 1
        assert told(lines, "barriers") == str(2 * finished + reset + failed)

    def test_every_mistake_is_a_sentence(self, lines):
        for what, sentence in {
            "started twice": "the accelerator is not idle: it runs a program, or waits for a reset",
            "too early": "the program has not ended yet",
            "nothing there": "there is no hwgen accelerator: ID reads 0xdeadbeef",
            "cut off": "there is no",
            "no program": "no program has been loaded",
            "other configuration": "the program was compiled for another configuration than the "
            "accelerator has",
            "other units": "the program was compiled for bricks units (8x8, 16x2, 1x1, 1x2, "
            "16x16); the accelerator has parallel units (8x8)",
            "misplaced": "the memory must begin at a multiple of 4096, not at 0x10020",
            "after an error": "the accelerator is not idle: it runs a program, or waits for a "
            "reset",
        }.items():
            assert told(lines, what) == sentence
        needed, there = map(int, re.findall(r"\d+", told(lines, "too small")))
        assert needed == there + 1

    def test_what_the_hardware_tells_is_the_sentence_of_the_python_driver(self, lines):
        with RtlSimulator(library(CONFIG), memory_bytes=1 << 24) as simulator:
            session = Driver(simulator, CONFIG).load(compile_network(self.network, CONFIG), 1 << 24)
            simulator.write_memory(3 * 32, b"\xff")
            with pytest.raises(HardwareError) as error:
                session.run(prepare(self.network, self.pixels)[0])
        assert told(lines, "malformed") == str(error.value)
        assert "a malformed instruction: unknown opcode" in str(error.value)


def test_the_example_of_the_documentation_compiles(tmp_path):
    write_driver(tmp_path)
    (tmp_path / "tiny.h").write_text(c_header(CONFIG, ""))
    header = program_header(compile_network(every_kind(5), CONFIG))
    header = header.replace("every_kind_network", "fashion_small_network")
    (tmp_path / "fashion.h").write_text(header)
    blocks = re.findall(r"```c\n(.*?)```", (ROOT / "docs" / "driver.md").read_text(), re.DOTALL)
    assert blocks
    (tmp_path / "example.c").write_text("\n".join(blocks))
    command = [tools.locate("cc"), *STRICT, "-I", ".", "-c", "example.c", "hwgen_driver.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
