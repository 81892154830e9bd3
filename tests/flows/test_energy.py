"""Energy of a made-up run, worked out by hand, and the command line."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import models.zoo
from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.cycles import Prediction, predict
from hwgen.cycles.modes import ModeCounts
from hwgen.energy import CAUSES, Silicon, Table, energy_of
from hwgen.energy.zeros import nonzero_products
from hwgen.errors import UserError
from hwgen.rtl.mac import facts
from models.reference import run as reference
from models.zoo.synthetic import every_kind
from models.zoo.widths import random_widths
from tests.compiler.test_widths import GATES, unit

TABLE = Table(
    "unit",
    {
        "multiplication": {"square": 1.0, "linear": 0.0},
        "addition": {"linear": 1.0},
        "memory": {"cubic": 0.0, "square": 0.0, "linear": 0.5, "smallest_bits": 1},
        "register": {"write": 2.0, "leakage": 3.0},
        "external": {"access": 7.0},
        "activity": {"nonzero": 0.5, "zero": 0.25},
    },
    (),
)
"""A product of a x b bits is a * b, a sum its bits, a bit of memory half of log2 of its size."""


def run(config, *, gates=(), counters=None, modes=None, **operations) -> Prediction:
    names = (
        "rows dot_products vectors vector_pushes weight_words_sent weight_words_written "
        "activation_reads activation_writes records_written sums_drained"
    ).split()
    done = {name: operations.get(name, 0) for name in names}
    spans = [SimpleNamespace(step=SimpleNamespace(name="PASS", fields=gate)) for gate in gates]
    counted = Counter({"FIRED": 0, "BYTES_READ": 0, "BYTES_WRITTEN": 0, **(counters or {})})
    if modes is None:
        modes = {0: ModeCounts(*(done[f] for f in ("dot_products", "vectors", "vector_pushes")))}
    unit = facts(config)
    macs = sum(unit.lanes_in(unit.modes[n]) * counts.dot_products for n, counts in modes.items())
    return Prediction(10, counted, done, macs, modes, spans)


def spent(prediction, config, **options) -> dict[str, float]:
    found = energy_of(prediction, config, TABLE, **options).spent
    assert list(found) == list(CAUSES)
    return {cause: pj for cause, pj in found.items() if pj}


def test_by_hand():
    """tiny: 2 engines of 4 lanes in one group, 64 rows, 1024 words of 32 bits."""
    config = load("tiny")
    weights = 2 * 8 * 4 * 8  # bits: two banks of 8 slots of 4 weights, 2 ** 9
    assert spent(run(config, rows=3, dot_products=5), config) == {
        "products": 5 * 4 * 64,
        "sums": 5 * (2 * 17 + 18 + 32),
        "weights of the engines": 4.5 * 5 * 32,
        "accumulators": 2 * 3 * 2 * 32 * 6,  # 64 rows of 64 bits: 2 ** 12
        "activations on the way": 2.0 * 5 * 2 * 32,
    }
    assert weights == 2**9
    # 20 products, 12 of them of two numbers that are not zero.
    adders = (12 * 0.5 + 8 * 0.25) / 4 * (2 * 17 + 18)
    found = spent(run(config, dot_products=5), config, nonzero=12)
    assert found["products"] == 12 * 0.5 * 64 and found["products with a zero"] == 8 * 0.25 * 64
    assert found["sums"] == adders + 5 * 32
    assert spent(run(config, activation_reads=2, activation_writes=1), config) == {
        "activation buffer": 3 * 32 * 7.5
    }
    assert spent(run(config, counters={"BYTES_READ": 3, "BYTES_WRITTEN": 1}), config) == {
        "external memory": 7.0 * 32
    }
    assert spent(run(config, vectors=2, vector_pushes=1), config) == {
        "activations on the way": 2.0 * (2 + 2) * 32
    }
    gate = {"gate": 1, "positions": 5, "slots": 4}
    assert spent(run(config, gates=[gate, {**gate, "gate": 0}]), config) == {
        "gate and tasks": 5 * 4 * 2 * 32
    }
    assert spent(run(config), config, silicon=Silicon(100, 1000, 1e6)) == {
        "clock": 2.0 * 100 * 10,
        "leakage": pytest.approx(3.0e-3 * 1000 * 10 / 1e6 * 1e12),
    }


def test_narrow_modes_by_hand():
    """Bricks on the engines of tiny: 4 products of 8x8 bits in a vector of 4 bytes, 8 of 4x4."""
    config = load("tiny", ["array.mac=bricks", "array.modes=8x8,4x4"])
    modes = {0: ModeCounts(2, 5, 3), 1: ModeCounts(3, 7, 6)}
    found = spent(run(config, dot_products=5, modes=modes), config)
    assert found["products"] == 2 * 4 * 64 + 3 * 8 * 16
    tree, narrow = 2 * 17 + 18, 4 * 9 + 2 * 10 + 11
    assert found["sums"] == 2 * tree + 3 * narrow + 5 * 32
    vectors = (5 + 2 * 3) * 32 + (7 + 2 * 6) * 32  # as many bits in both
    assert found["activations on the way"] == 2.0 * (vectors + 5 * 2 * 32)
    # 32 products, half of them with a zero.
    found = spent(run(config, dot_products=5, modes=modes), config, nonzero=16)
    assert found["products"] == 0.5 * 0.5 * (2 * 4 * 64 + 3 * 8 * 16)
    # A bit-serial unit gets narrow activations in bytes, whose other bits stand still.
    config = load("tiny", ["array.mac=serial", "array.modes=8x8,3x8"])
    found = spent(run(config, dot_products=3, modes={1: ModeCounts(3, 1, 1)}), config)
    assert found["products"] == pytest.approx(3 * 4 * 24)
    assert found["activations on the way"] == 2.0 * (3 * 4 * 3 + 3 * 4 * (3 + 8))


@pytest.mark.parametrize("name", ["serial", "bricks"])
def test_modes_add_up(name):
    """Gated in all ways: what is told of each mode is together what the cycle model counts."""
    config = unit(name)
    network = random_widths(2, [(4, 4), (5, 3), (2, 2)], gates=GATES[1:], channels=10, size=5)
    compiled = compile_network(network, config)
    rng = np.random.default_rng(1)
    gates = [step.fields for step in compiled.program.steps if step.fields.get("gate")]
    fired = [rng.random((2 * gate["slots"], gate["positions"])) < 0.4 for gate in gates]
    prediction = predict(config, compiled.program, fired)
    assert len(prediction.modes) > 2
    for name in ("dot_products", "vectors", "vector_pushes"):
        of_modes = sum(getattr(counts, name) for counts in prediction.modes.values())
        assert of_modes == prediction.operations[name] > 0


@pytest.mark.parametrize("gated", [True, False])
def test_products_without_a_zero(gated):
    """All kinds of gates, strides, padding and groups, against loops."""
    network = every_kind(3)
    edge = network.input.output
    images = np.random.default_rng(0).integers(edge.lo, edge.hi + 1, (2, *edge.shape))
    images[:, :, 2:5] = 0
    result = reference(network, images, taps=True, masks=True)
    assert nonzero_products(network, result, gated=gated) == sum(
        by_loops(network, layer, result, image, gated)
        for layer in network.layers
        for image in range(2)
    )


def by_loops(network, layer, result, image: int, gated: bool) -> int:
    """Products of an image without a zero, output by output."""
    if layer.kind not in ("conv", "linear"):
        return 0
    x, weight = result.taps[layer.inputs[0]][image], network.weight(layer)
    if layer.kind == "linear":
        return int(((weight != 0) & (x.reshape(-1) != 0)).sum())
    gate = layer.gate if gated else None
    base = network.base_weight_mask(layer)
    low = network.edge(layer).bits - gate.high_bits if gate and gate.high_bits else 0
    top, bottom, left, right = layer.padding
    x = np.pad(x, ((0, 0), (top, bottom), (left, right)))
    each = layer.in_channels // layer.groups
    total = 0
    for k, row, column in np.ndindex(*layer.output.shape):
        first = k * layer.groups // layer.out_channels * each
        y, z = row * layer.stride[0], column * layer.stride[1]
        window = x[first : first + each, y : y + layer.kernel[0], z : z + layer.kernel[1]]
        fires = gate is None or bool(result.masks[layer.name][image, k, row, column])
        for channel, plane in enumerate(window):
            for value, w in zip(plane.reshape(-1), weight[k, channel].reshape(-1), strict=True):
                if gate is not None and base[k, channel]:
                    parts = [value >> low << low] + [value & (1 << low) - 1] * fires
                else:
                    parts = [value] * fires
                total += sum(part != 0 for part in parts) * bool(w)
    return int(total)


def test_shipped_table():
    """The points that the table was fitted to."""
    table = Table.read()
    assert table.multiplication(8, 8) == pytest.approx(0.2, rel=0.01)
    assert table.multiplication(32, 32) == pytest.approx(3.1, rel=0.01)
    assert table.addition(32) == pytest.approx(0.1)
    for size, pj in ((8 << 10, 10), (32 << 10, 20), (1 << 20, 100)):
        assert 64 * table.memory(8 * size) == pytest.approx(pj, rel=0.01)
    assert table.memory(1 << 10) < table.memory(1 << 14) < table.memory(1 << 20)
    assert table.external(64) == pytest.approx(1300)
    assert 1.1 > table.activity("nonzero") > table.activity("zero") > 0
    assert len(table.sources) == 4


@pytest.mark.parametrize(
    "text",
    [
        "[multiplication]\nsquare = 'much'",
        "[multiplication]\nsquare = nan",
        "multiplication = 3",
    ],
)
def test_wrong_tables(tmp_path, text):
    path = tmp_path / "t.toml"
    path.write_text(text)
    with pytest.raises(UserError, match="TABLE: .* must have a number multiplication.square"):
        Table.read(path)
    with pytest.raises(UserError, match="TABLE: .*none.toml cannot be read"):
        Table.read(tmp_path / "none.toml")


def test_too_few_images(tmp_path):
    from hwgen.cli.energy import command

    folder = Path(models.zoo.__file__).parent
    np.savez(tmp_path / "in.npz", images=np.zeros((3, 1, 28, 28), np.uint8))
    arguments = [str(folder / "fashion_small.safetensors"), str(tmp_path / "in.npz")]
    with pytest.raises(UserError, match="in.npz: holds 3 images, --batch asks for 4"):
        command.main([*arguments, "--batch", "4"], standalone_mode=False)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        (None, "must be of hwgen synth --target asic --json"),
        ({"target": "ecp5"}, "must be of hwgen synth --target asic --json"),
        ({"hash": "0" * 64}, "is of another configuration: hash 0000000000000000$"),
        ({"module": "group"}, "must be of the whole accelerator, not group"),
    ],
)
def test_wrong_reports(tmp_path, monkeypatch, fields, complaint):
    """Told before the network is read."""
    from hwgen.cli.energy import command

    monkeypatch.setattr("models.netfile.load", None)
    good = {"format": "hwgen-synthesis", "target": "asic", "hash": load("tiny").hash}
    good |= {"name": "tiny", "module": "tiny", "total": {"ff": 1, "cells": 2}}
    report, right = tmp_path / "r.json", tmp_path / "right.json"
    report.write_text(json.dumps([] if fields is None else good | fields))
    right.write_text(json.dumps(good))
    arguments = ["--config", "tiny", "--against", "tiny", "--report", str(right)]
    with pytest.raises(UserError, match=f"REPORT: .*r.json {complaint}"):
        command.main([*arguments, "--against-report", str(report)], standalone_mode=False)


def test_command_line(capsys):
    """The trained network on the small array, with gates and without."""
    from hwgen.cli import main

    arguments = ["energy", "--config", "tiny", "--against", "tiny", "--batch", "1", "--json"]
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    found = json.loads(capsys.readouterr().out)["tiny"]
    assert found["uJ_an_image"]["products with a zero"] > 0
    assert found["mJ_an_image"] == pytest.approx(sum(found["uJ_an_image"].values()) / 1e3, rel=1e-3)
    assert found["uJ_an_image"]["clock"] == 0
    with pytest.raises(SystemExit):
        main([*arguments, "--report", "r.json"])
    assert "REPORT: must be given for both" in capsys.readouterr().err
