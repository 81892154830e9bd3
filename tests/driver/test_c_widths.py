"""The C driver packs images for narrow modes as the compiler does."""

import re
import subprocess

import numpy as np
import pytest

from hwgen import tools
from hwgen.compiler.cfile import program_header
from hwgen.compiler.network import compile_network
from models.zoo.widths import random_widths
from tests.compiler.test_widths import unit

from .test_c_driver import HERE, STRICT, write_driver


@pytest.mark.parametrize(
    ("name", "bits", "signs", "batch"),
    [
        ("bricks", 4, (True,), 2),  # two and four in a byte
        ("bricks", 2, (False,), 1),
        ("odd", 3, (True,), 1),  # two copies side by side
        ("serial", 3, (False,), 1),  # bytes
        ("xnor", 8, (False,), 2),  # bit after bit
        ("xnor", 1, (True,), 1),  # -1 and 1
    ],
)
def test_the_input_area(tmp_path, name, bits, signs, batch):
    weights = 1 if name == "xnor" else 4 if name == "odd" else 2
    network = random_widths(0, [(1, weights)], image_bits=bits, signs=signs, last_bits=1)
    compiled = compile_network(network, unit(name), batch=batch)
    write_driver(tmp_path)
    header = program_header(compiled)
    (tmp_path / "network.h").write_text(header)
    program = re.search(r"struct hwgen_program (\w+) =", header)[1]
    defines = ['-DPROGRAM_HEADER="network.h"', f"-DPROGRAM={program}"]
    sources = [HERE / "packed.c", "hwgen_driver.c"]
    command = [tools.locate("cc"), *STRICT, *defines, "-I", ".", *sources, "-o", "packed"]
    subprocess.run(command, cwd=tmp_path, check=True)
    edge = network.input.output
    rng = np.random.default_rng(bits)
    images = rng.integers(edge.lo, edge.hi + 1, (batch, *edge.shape))
    if edge.bipolar:
        images = rng.choice([-1, 1], images.shape)
    (tmp_path / "values").write_bytes(images.astype(np.int16).tobytes())
    run = ["./packed", "values", str(compiled.input.bytes)]
    area = subprocess.run(run, cwd=tmp_path, check=True, capture_output=True).stdout
    assert area == compiled.input.pack(images if batch > 1 else images[0])
    assert any(area)
