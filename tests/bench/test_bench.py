"""The benchmark counts each cycle once, and compares like with like."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from hwgen.bench import suite
from hwgen.bench.masks import density_for, generated_masks, lumpy
from hwgen.bench.networks import NETWORKS
from hwgen.bench.reasons import REASONS
from hwgen.bench.whole import Case, compare, needed_macs, run, ungated
from hwgen.cli import _progress
from hwgen.cli.bench import command
from hwgen.config import load
from hwgen.cycles import predict
from hwgen.errors import UserError
from hwgen.simulator.rtl import MemoryModel
from models.netfile import save
from models.reference import run as reference
from models.zoo.synthetic import every_kind
from sim.networks import example


def masks_of(network, images: int) -> dict[str, np.ndarray]:
    edge = network.input.output
    pixels = np.random.default_rng(0).integers(edge.lo, edge.hi + 1, (images, *edge.shape))
    return reference(network, pixels, masks=True).masks


@pytest.mark.parametrize("name, size, millions", [
    ("resnet18", 224, 1814.07), ("resnet18", 32, 555.42), ("vgg16", 32, 313.20),
])  # fmt: skip
def test_networks_have_the_products_that_are_published(name, size, millions):
    network = NETWORKS[name](size)
    assert sum(layer.macs for layer in network.layers) / 1e6 == pytest.approx(millions, abs=0.01)
    assert not ungated(network).gated
    names = {layer.name for layer in network.gated}
    assert names == {
        layer.name
        for layer in network.layers
        if layer.kind == "conv" and layer.kernel == (3, 3) and layer.name != "conv1"
    }


class TestMasks:
    @pytest.mark.parametrize("density", [0.0, 0.05, 0.3, 1.0])
    def test_have_their_density_and_come_from_a_seed(self, density):
        shape = (3, 16, 9, 7)
        mask = lumpy(shape, density, np.random.default_rng(5))
        assert mask.shape == shape
        assert mask.mean() == pytest.approx(density, abs=1 / mask.size)
        assert np.array_equal(mask, lumpy(shape, density, np.random.default_rng(5)))

    def test_are_as_lumpy_as_those_of_a_trained_network(self):
        """Figures of a gated ResNet on CIFAR-10, six layers of density 0.2, in brackets."""
        mask = lumpy((32, 64, 16, 16), 0.2, np.random.default_rng(0)).astype(float)
        assert 0.3 < mask.mean(1).std() / 0.2 < 0.5  # positions (0.29 … 0.51; independent: 0.25)
        assert 0.4 < mask.mean((2, 3)).std() / 0.2 < 0.65  # channels of an image (0.49 … 0.61)
        rest = mask - mask.mean((2, 3), keepdims=True)
        neighbours = (rest[..., 1:] * rest[..., :-1]).mean() / (rest**2).mean()
        assert 0.25 < neighbours < 0.65  # (0.26 … 0.65)

    def test_reach_a_reduction(self):
        network = NETWORKS["resnet18"](32)
        masks = generated_masks(network, density_for(network, 2.82), 1)
        needed = sum(needed_macs(network, masks, 1).values())
        assert sum(layer.macs for layer in network.layers) / needed == pytest.approx(2.82, rel=1e-4)


class TestReasons:
    @pytest.mark.parametrize("name, batch", [("tiny", 1), ("cgnet8", 2)])
    def test_every_cycle_counts_once(self, name, batch):
        network, memory = every_kind(5), MemoryModel(20, 0.5)
        case = Case.of(network, load(name), masks_of(network, batch), batch)
        result = run(case, memory)
        assert (
            result["cycles"]
            == predict(load(name), case.compiled.program, fired(case), memory).cycles
        )
        assert sum(layer["cycles"] for layer in result["layers"]) == pytest.approx(result["cycles"])
        for layer in result["layers"]:
            assert set(layer["reasons"]) == set(REASONS)
            assert min(layer["reasons"].values()) >= 0
            assert sum(layer["reasons"].values()) == pytest.approx(layer["cycles"])
            assert layer["reasons"]["useful"] <= layer["macs"] / load(name).macs + 1e-6

    def test_a_slow_memory_is_told_as_loads(self):
        case = Case.of(every_kind(5), load("baseline8"), None)
        fast, slow = (run(case, MemoryModel(20, bandwidth)) for bandwidth in (1.0, 0.05))

        def total(result, reason):
            return sum(layer["reasons"][reason] for layer in result["layers"])

        more = slow["cycles"] - fast["cycles"]
        assert more > 0.5 * fast["cycles"]
        assert total(slow, "load") - total(fast, "load") > 0.8 * more
        assert total(slow, "useful") == pytest.approx(total(fast, "useful"))


def fired(case: Case):
    from hwgen.compiler.decisions import decisions

    return decisions(case.compiled.config, case.compiled.program, case.masks)


def test_comparison_with_the_array_without_gates():
    network = every_kind(5)
    masks = masks_of(network, 1)
    gated, dense = (Case.of(network, load(n), masks) for n in ("cgnet8", "baseline8"))
    assert gated.compiled.network.gated and not dense.compiled.network.gated
    result = compare(gated, dense, MemoryModel())
    assert result["speedup"] == result["dense"]["cycles"] / result["gated"]["cycles"]
    macs = sum(layer.macs for layer in network.layers)
    assert result["dense"]["macs"] == macs
    assert result["ideal"] == pytest.approx(macs / result["gated"]["macs"])


def test_the_command_writes_what_it_prints(tmp_path, monkeypatch):
    monkeypatch.setattr(_progress, "PAUSE", 0.0)
    path = tmp_path / "bench.json"
    arguments = "--part trained --batch 1 --bytes 16 --json --out".split()
    result = CliRunner().invoke(command, [*arguments, str(path)], catch_exceptions=False)
    document = json.loads(path.read_text())
    assert json.loads(result.stdout) == document
    assert document["densities"] == []  # they are of a network for CIFAR
    steps = [line.partition(" s: ")[2] for line in result.stderr.splitlines()]
    assert "1 of 1: fashion-small, batch 1: compiling for cgnet8" in steps
    assert steps[-1] == "1 of 1: fashion-small, batch 1, 16 B/cycle: baseline8, 0 M of ≥ 0 M cycles"
    (row,) = [r for r in document["runs"] if r["subject"] == "fashion-small"]
    assert row["ideal"] > row["speedup"] > 1
    assert row["gated"]["config"] == "cgnet8" and row["dense"]["config"] == "baseline8"
    assert row["bytes_a_cycle"] == row["gated"]["bytes_a_cycle"] == 16
    assert 0 < row["density"] < 1 and row["accuracy"] > 0.8


def test_the_command_on_a_network_of_the_user(tmp_path):
    save(example(2), tmp_path / "net.safetensors")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "in.npz", images=rng.integers(0, 256, (2, 5, 5, 4)).astype(np.uint8))
    files = [str(tmp_path / "net.safetensors"), str(tmp_path / "in.npz")]
    options = "--batch 1 --batch 2 --bytes 8 --no-density --json".split()
    result = CliRunner().invoke(command, files + options, catch_exceptions=False)
    rows = json.loads(result.stdout)["runs"]
    assert [(row["subject"], row["batch"]) for row in rows] == [("example", 1), ("example", 2)]
    for arguments, expected in (
        ([*files, "--batch", "3"], "holds 2 images, --batch asks for 3"),
        ([str(tmp_path / "dense.safetensors")], "network dense-example has no gate"),
    ):
        save(example(2, gated=False), tmp_path / "dense.safetensors")
        with pytest.raises(UserError, match=expected):
            CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_some_networks_of_some_parts():
    def names(*arguments) -> list[tuple]:
        return [(made.args[0], *made.args[1:]) for made in suite.subjects(*arguments)]

    assert names(("cifar", "imagenet"), (1, 16), "vgg16") == [
        ("vgg16", 32, 1), ("vgg16", 224, 1), ("vgg16", 32, 16), ("vgg16", 224, 16)
    ]  # fmt: skip
    assert names((), (1,), "vgg16") == []
    with pytest.raises(UserError, match="ONLY: must be part of one of fashion-small, not 'vgg'"):
        suite.subjects(("trained",), (1,), "vgg")


def test_the_sweep_of_densities(monkeypatch):
    """Each density against the dense network, which is run once; rows are shown one by one."""
    network, runs, shown = every_kind(5), [], []
    monkeypatch.setitem(suite.NETWORKS, "resnet18", lambda size: network)
    honest = suite.run

    def counted(case, memory, say):
        runs.append(case.compiled.config.name)
        return honest(case, memory, say)

    monkeypatch.setattr(suite, "run", counted)
    document = suite.measure((), (1, 2), (), (0.1, 1.0), show=shown.append)
    rows = document["densities"]
    assert shown == rows
    assert [(row["batch"], row["density"]) for row in rows] == [(1, 0.1), (1, 1), (2, 0.1), (2, 1)]
    assert runs == ["baseline8", "cgnet8", "cgnet8"] * 2
    for row in rows:
        masks = generated_masks(network, row["density"], row["batch"])
        cases = [Case.of(network, load(n), masks, row["batch"]) for n in ("cgnet8", "baseline8")]
        expected = compare(*cases, MemoryModel(20))["gated_layers"]
        assert row == {"batch": row["batch"], "density": row["density"], **expected}
