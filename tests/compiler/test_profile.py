"""``hwgen compile --profile``: channels dealt by images, and cycles of their decisions."""

import json

import numpy as np
import pytest

from hwgen import cli
from hwgen.bench.whole import Case, run
from hwgen.compiler.file import program_bytes
from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.simulator.rtl import MemoryModel
from models.reference import prepare
from models.reference import run as reference
from models.zoo import fashion_sample, load_shipped, shipped

NETWORK = "fashion_small"
BYTES = fashion_sample()[0][:3]


@pytest.fixture
def compiled(capsys, tmp_path):
    """Call ``hwgen compile``; the program file and the facts."""
    np.savez(tmp_path / "images.npz", images=BYTES)

    def call(*arguments) -> tuple[bytes, dict]:
        out = tmp_path / "program.safetensors"
        line = [
            "compile",
            str(shipped(NETWORK)),
            "--plans",
            "estimate",
            "--out",
            str(out),
            "--json",
        ]
        with pytest.raises(SystemExit) as exit:
            cli.main([*line, *map(str, arguments)])
        assert not exit.value.code
        return out.read_bytes(), json.loads(capsys.readouterr().out)

    return call


@pytest.mark.parametrize("batch", [1, 4])  # of three images the first serves a second time
def test_images_deal_channels_and_decide(compiled, tmp_path, batch):
    network, config = load_shipped(NETWORK), load("cgnet8")
    images = prepare(network, BYTES)
    masks = reference(network, np.concatenate([images, images])[: max(batch, 3)], masks=True).masks
    densities = {layer: mask.mean((0, 2, 3)) for layer, mask in masks.items()}
    whole = compile_network(network, config, densities, batch=batch)
    taken = {layer: mask[:batch] for layer, mask in masks.items()}

    program, facts = compiled("--profile", tmp_path / "images.npz", "--batch", batch)
    assert program == program_bytes(whole)
    assert facts["predicted_cycles"] == run(Case(whole, taken), MemoryModel())["cycles"]
    plain, made_up = compiled("--batch", batch)
    assert plain != program and made_up["predicted_cycles"] != facts["predicted_cycles"]
