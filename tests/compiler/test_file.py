"""Program files and listings."""

import json

import numpy as np
from click.testing import CliRunner
from safetensors import safe_open

from hwgen.cli.compile import command
from hwgen.compiler.file import listing, program_bytes, summary
from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.isa.packing import unpack
from models.netfile import save
from models.zoo.synthetic import every_kind


def instructions(text: str) -> list[str]:
    """Lines of a listing."""
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_the_file_holds_the_program(tmp_path):
    compiled = compile_network(every_kind(0), load("tiny"))
    path = tmp_path / "program.safetensors"
    path.write_bytes(program_bytes(compiled))
    with safe_open(path, "numpy") as file:
        document = json.loads(file.metadata()["hwgen-program"])
        program, constants = file.get_tensor("program"), file.get_tensor("constants")
    assert document["config_hash"] == compiled.config.hash
    assert constants.tobytes() == compiled.program.constants
    assert len(program) == len(compiled.program.steps)
    for word, step in zip(program, compiled.program.steps, strict=True):
        decoded = unpack(word.tobytes())
        assert decoded.name == step.name
        assert decoded.fields.keys() >= step.fields.keys()
        for field, value in decoded.fields.items():
            assert value == step.fields.get(field, 0)


def test_the_listing_has_every_instruction():
    compiled = compile_network(every_kind(0), load("tiny"))
    lines = instructions(listing(compiled))
    assert [line.split()[1] for line in lines] == [s.name for s in compiled.program.steps]


def test_the_summary_counts_what_a_layer_does():
    compiled = compile_network(every_kind(0), load("tiny"))
    rows = {row["layer"]: row for row in summary(compiled)}
    # stem: 8x8 positions, 8 channels on 2 engines, 27 taps and channels folded into 7 planes of 4;
    # tiny has one cluster.
    assert rows["stem"]["array_cycles"] == 64 * 4 * 7
    assert rows["stem"]["stored"] == 8 * 8 * 8
    assert sum(row["instructions"] for row in rows.values()) == len(compiled.program.steps) - 1


def test_the_command_writes_all_files(tmp_path):
    net, out, text = (tmp_path / name for name in ("net.safetensors", "p.safetensors", "p.txt"))
    save(every_kind(0), net)
    arguments = [str(net), "--config", "tiny", "--out", str(out), "--listing", str(text), "--json"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    facts = json.loads(result.output)
    assert facts["instructions"] == sum(
        not line.startswith("#") for line in text.read_text().splitlines()
    )
    with safe_open(out, "numpy") as file:
        assert np.prod(file.get_tensor("program").shape) == 32 * facts["instructions"]
