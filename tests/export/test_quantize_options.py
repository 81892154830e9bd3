"""Splitting and gating of traced networks, and the command line around them."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from hwgen.cli import cli
from hwgen.errors import UserError
from models.export import fuse, quantize, trace
from models.export.gating import GateSettings, gate_graph, parse_gate
from models.export.interpret import evaluate
from models.netfile import load
from models.reference import run, work
from models.splitting import split_activations, split_graph, split_seen_activations

MODEL = """
from torch import nn

def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4),
    )

def gated():
    from models.layers import gate

    return gate(make_model(), "channel", part=4)

def broken():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.GELU())
"""


def _model() -> nn.Module:
    torch.manual_seed(3)
    scope = {}
    exec(MODEL, scope)
    model = scope["make_model"]()
    nn.init.normal_(model[4].weight, 0, 1)  # gains of both signs
    return model.eval()


def _images(count=32, seed=0):
    return torch.rand(count, 1, 12, 12, generator=torch.Generator().manual_seed(seed))


def test_splitting_weights_changes_nothing_before_rounding():
    model, images = _model(), _images()
    for aware in (False, True):
        graph = fuse(trace(model, (1, 12, 12)))
        assert split_graph(graph, 0.25, bits=5, aware=aware) == ["_0", "_3", "_6", "_10"]
        assert graph.ops["_3"].weight.shape[1] == 10
        with torch.no_grad():
            found = evaluate(graph, images)[0].flatten(1)
            torch.testing.assert_close(found, model(images), atol=1e-5, rtol=1e-4)


def test_split_network_runs_in_integers():
    model, images = _model(), _images()
    quantized = quantize(
        model, images, bits=5, prepare_graph=lambda graph: split_graph(graph, 0.1, bits=5)
    )
    result = run(quantized.network, quantized.integers(images))
    with torch.no_grad():
        expected = model(images).numpy()
    scale = quantized.network.layer("_10").output.scale
    assert np.abs(result.logits * scale - expected).max() < 0.2 * np.ptp(expected)


@pytest.mark.parametrize("step", [None, 0.05])
def test_splitting_activations_changes_nothing_before_rounding(step):
    model, images = _model(), _images()
    graph = fuse(trace(model, (1, 12, 12)))
    largest = {}

    def look(op, y, *sources):
        largest[op.name] = y.abs().amax((0, 2, 3)).numpy()

    evaluate(graph, images, look)
    steps = None if step is None else dict.fromkeys(graph.ops, step)
    assert split_activations(graph, largest, 0.2, step=steps) == ["_0", "_3"]
    assert graph.ops["_3"].weight.shape[:2] == (20, 10)
    with torch.no_grad():
        found = evaluate(graph, images)[0].flatten(1)
        # A half that the ReLU cuts off at a quarter of a step is what the aware split costs.
        tolerance = 1e-5 if step is None else step
        torch.testing.assert_close(found, model(images), atol=tolerance, rtol=1e-4)
    after = {}
    evaluate(graph, images, lambda op, y, *s: after.update({op.name: float(y.abs().max())}))
    assert after["_0"] < float(largest["_0"].max())


def test_splitting_activations_spares_the_others_an_outlier():
    """One channel eight times as large as the others leaves these one bit of four."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3)).eval()
    images = _images()
    with torch.no_grad():
        model[0].weight[3], model[0].bias[3] = 8 * model[0].weight[1], 8 * model[0].bias[1]
        model[2].weight[:, 3] /= 8
        expected = model(images).numpy()
    errors = []
    for ratio in (0.0, 0.3):
        quantized = quantize(
            model,
            images,
            bits=4,
            weight_bits=8,
            method="minmax",
            prepare_graph=lambda graph, ratio=ratio: split_seen_activations(
                graph, images, ratio, bits=4, method="minmax"
            ),
        )
        result = run(quantized.network, quantized.integers(images))
        found = result.outputs["output"] * quantized.network.layer("_2").output.scale
        errors.append(float(np.square(found - expected).mean()))
    assert errors[1] < 0.5 * errors[0], errors


@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", ["channel", "precision"])
def test_gates_pass_the_density_asked_for(kind, density):
    model, images = _model(), _images()
    settings = GateSettings(kind, part=4, high_bits=3)
    quantized = quantize(
        model,
        images,
        method="minmax",
        prepare_graph=lambda graph: gate_graph(graph, settings, density, images),
    )
    result = run(quantized.network, quantized.integers(images))
    gated = [row for row in work(result) if row.gate]
    assert [row.name for row in gated] == ["_3", "_6"] and gated[0].gate == kind
    for row in gated:
        assert row.density == pytest.approx(density, abs=0.05)


def test_a_gate_that_always_fires_changes_nothing():
    model, images = _model(), _images()
    plain = quantize(model, images)
    gated = quantize(
        model,
        images,
        prepare_graph=lambda graph: gate_graph(graph, GateSettings("channel", 4), 1.0, images),
    )
    tensors = dict(gated.network.tensors)
    for name in tensors:
        if name.endswith(".theta"):
            tensors[name] = np.full_like(tensors[name], -(2**31))
    always = type(gated.network)(gated.network.graph, tensors)
    integers = plain.integers(images)
    np.testing.assert_array_equal(run(always, integers).logits, run(plain.network, integers).logits)


@pytest.mark.parametrize("text", ["channel", "channel:1", "channel:2/3", "precision:0", "both:1/2"])
def test_gates_that_are_not(text):
    with pytest.raises(UserError, match="--gate must be"):
        parse_gate(text)


@pytest.fixture
def files(tmp_path):
    """A model file, its weights and images, as a user has them."""
    (tmp_path / "net.py").write_text(MODEL)
    torch.save({"state_dict": _model().state_dict()}, tmp_path / "net.pt")
    images = (_images().numpy() * 255).astype(np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=np.arange(32) % 4)
    return tmp_path


def _hwgen(*arguments):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def test_command_line(files):
    out = files / "net.safetensors"
    result = _hwgen(
        "quantize", f"{files / 'net.py'}:make_model", "--weights", files / "net.pt",
        "--calibrate", files / "images.npz", "--gate", "channel:1/4", "--density", "0.5",
        "--out", out, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["images"] == 32 and set(report["density"]) == {"_3", "_6"}
    assert 1.3 < report["reduction"] < 1.9 and 0 <= report["accuracy"] <= 1
    assert load(out).layer("_3").gate.count == 2
    shown = json.loads(_hwgen("inspect", out, "--json").stdout)
    assert shown["macs"] == report["macs"] and shown["layers"][2]["gate"] == "channel"
    table = _hwgen("inspect", out)
    assert table.exit_code == 0 and "channel: 2 of 8 channels" in table.stdout


def test_splits_on_the_command_line(files):
    def channels(*options):
        out = files / "split.safetensors"
        model = f"{files / 'net.py'}:make_model"
        done = _hwgen(
            "quantize", model, "--calibrate", files / "images.npz", "--out", out, *options
        )
        assert done.exit_code == 0, done.output
        network = load(out)
        return [network.layer(name).in_channels for name in ("_3", "_6")]

    assert channels() == [8, 16]
    assert channels("--split-activations", "0.25") == [10, 20]
    assert channels("--split", "0.25") == [10, 20]
    assert channels("--split", "0.25", "--split-activations", "0.25") == [13, 25]


def test_a_model_that_was_fine_tuned_with_gates(files):
    scope = {}
    exec(MODEL, scope)
    torch.manual_seed(0)
    model = scope["gated"]().train()
    model(_images())
    torch.save(model.state_dict(), files / "gated.pt")
    out = files / "gated.safetensors"
    result = _hwgen(
        "quantize", f"{files / 'net.py'}:gated", "--weights", files / "gated.pt",
        "--calibrate", files / "images.npz", "--out", out, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout)["density"]) == {"_3", "_6"}
    assert [gate.gate.count for gate in load(out).gated] == [2, 4]


def _refusal(*arguments) -> str:
    result = _hwgen(*arguments)
    assert isinstance(result.exception, UserError), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_command_line_refusals(files):
    model, data = f"{files / 'net.py'}:make_model", files / "images.npz"

    def refusal(*arguments, spec=model, images=data):
        return _refusal("quantize", spec, "--calibrate", images, *arguments)

    assert "layer '1'" in refusal(spec=f"{files / 'net.py'}:broken")
    assert "no function 'absent'" in refusal(spec=f"{files / 'net.py'}:absent")
    assert "no such file" in refusal(spec=f"{files / 'no.py'}:make_model")
    assert "file.py:function" in refusal(spec="net.py")
    assert "no such file" in refusal("--weights", files / "no.pt")
    assert "1 channels" in refusal("--mean", "1,2,3")
    assert "must be numbers" in refusal("--mean", "a")
    assert "must be numbers" in refusal("--std", "nan")
    assert "--name must be printable" in refusal("--name", "two\nlines")
    torch.save(nn.Linear(2, 2).state_dict(), files / "other.pt")
    assert "another network" in refusal("--weights", files / "other.pt")
    (files / "cut.pt").write_bytes((files / "net.pt").read_bytes()[:500])
    assert "cut.pt: not a checkpoint" in refusal("--weights", files / "cut.pt")
    torch.save({"state_dict": _model()}, files / "pickle.pt")
    message = refusal("--weights", files / "pickle.pt")
    assert "pickle.pt: not a checkpoint of tensors alone (no file of PyTorch" in message
    state = {name: tensor * float("nan") for name, tensor in _model().state_dict().items()}
    torch.save(state, files / "nan.pt")
    assert "NaN" in refusal("--weights", files / "nan.pt")
    (files / "cut.npz").write_bytes(data.read_bytes()[:100])
    assert "cut.npz" in refusal(images=files / "cut.npz")
    (files / "images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + bytes([0, 0, 0, 4] * 3) + b"abc")
    message = refusal(images=files / "images-idx3-ubyte")
    assert "19 bytes, 80 expected" in message
    np.save(files / "real.npy", np.zeros((2, 1, 12, 12), np.float32))
    assert "real numbers already" in refusal("--std", "2", images=files / "real.npy")
    assert "cannot be read" in _refusal("inspect", files / "absent.safetensors")
