"""From ``hwgen train`` to a network file: the trained layers and quantizers of this project."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from hwgen.cli import cli
from hwgen.errors import UserError
from models.export import quantize
from models.export.comparison import compare
from models.export.trained import export_trained
from models.layers import Stored, gate, quantize_aware
from models.netfile import load
from models.reference import run

RUN = """
[network]
name = "fashion-small"
options = { width = 16 }
[data]
name = "generated"
options = { train = 256, test = 64 }
[schedule]
epochs = 1
batch = 32
[gating]
options = { part = 4 }
[quantization]
"""


class Residual(nn.Module):
    """Two gated convolutions, one with a shortcut that changes the size; every stored tensor has a
    quantizer.
    """

    def __init__(self):
        super().__init__()
        self.image = Stored(step=1 / 255)
        self.stem, self.norm, self.relu = (
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
        )
        self.conv1, self.bn1 = nn.Conv2d(16, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16)
        self.relu1 = nn.ReLU()
        self.conv2, self.bn2 = nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.short, self.bn3 = nn.Conv2d(16, 16, 1, 2, bias=False), nn.BatchNorm2d(16)
        self.shortcut, self.relu2 = Stored(signed=True), nn.ReLU()
        self.pool, self.pooled = nn.AdaptiveAvgPool2d(1), Stored()
        self.fc, self.logits = nn.Linear(16, 10), Stored(signed=True)

    def forward(self, x):
        x = self.relu(self.norm(self.stem(self.image(x))))
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        x = self.relu2(y + self.shortcut(self.bn3(self.short(x))))
        return self.logits(self.fc(self.pooled(self.pool(x)).flatten(1)))


def _pixels(count: int, seed: int):
    """Rectangles of random size, place and brightness on noise, as bytes; the label is the size."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (count, 1, 16, 16))
    labels = rng.integers(0, 10, count)
    for image, label in zip(images, labels, strict=True):
        top, left = rng.integers(0, 10 - label // 2, 2)
        image[0, top : top + 3 + label // 2, left : left + 3 + (label + 1) // 2] += rng.integers(
            80, 190
        )
    return images.astype(np.uint8), labels


def _trained(kind: str, **options) -> nn.Module:
    torch.manual_seed(0)
    model = gate(Residual(), kind, **options)
    quantize_aware(model, activation_bits=options.get("bits", 8)).train()
    images, labels = _pixels(1280, 1)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for step in range(40):
        part = slice(step * 32, step * 32 + 32)
        loss = nn.functional.cross_entropy(
            model(torch.from_numpy(images[part] / 255).float()), torch.from_numpy(labels[part])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("channel", {"part": 4, "norms": 2}),
        ("channel", {"part": 4, "grouping": True, "shuffle": True}),
        ("precision", {"bits": 4, "high_bits": 2}),
        ("precision", {"bits": 8, "high_bits": 4, "norms": 2}),
        ("both", {"part": 4, "bits": 4, "high_bits": 2}),
        ("both", {"part": 4, "bits": 8, "high_bits": 5, "grouping": True, "shuffle": True}),
    ],
)
def test_integers_choose_the_classes_of_the_fake_quantized_network(kind, options):
    from models.export import Pixels

    model = _trained(kind, **options)
    pixels = Pixels((0.0,), (1.0,))
    exported = export_trained(model, _pixels(16, 2)[0], pixels=pixels)
    network = exported.network
    as_exported = "channel" if kind == "both" else kind
    assert [layer.gate.kind for layer in network.gated] == [as_exported] * 3
    assert any(layer.residual for layer in network.gated)
    report = compare(model, exported, _pixels(2000, 3)[0])
    # Forty steps leave many images between two classes; what M's 16 bits move decides some of them.
    assert report["agreement"] >= 0.998, report
    assert all(0.02 < d < 0.98 for d in report["density"].values()), report["density"]


def test_run_becomes_a_file(tmp_path):
    (tmp_path / "run.toml").write_text(RUN)
    runner = CliRunner()
    trained = runner.invoke(
        cli, ["train", str(tmp_path / "run.toml"), "--out", str(tmp_path / "run"), "--threads", "1"]
    )
    assert trained.exit_code == 0, trained.output
    out = tmp_path / "net.safetensors"
    arguments = ["export", str(tmp_path / "run"), "--out", str(out)]
    result = runner.invoke(cli, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    network = load(out)
    assert report["images"] == 64 and set(report["density"]) == {g.name for g in network.gated}
    assert report["agreement_rounded"] >= 0.98
    assert network.graph.info["test_accuracy"] == report["accuracy"]
    assert network.graph.info["data"] == "generated" and network.input.output.scale == 1 / 255
    assert network.gated[0].gate.count == 4
    shown = runner.invoke(cli, arguments)
    assert "outputs fire" in shown.stdout and "same class" in shown.stdout


def test_a_run_with_activity_thresholds_is_exported_without_them(tmp_path):
    (tmp_path / "run.toml").write_text(RUN.replace("part = 4", "part = 4, activity = 0.3"))
    runner, out = CliRunner(), tmp_path / "net.safetensors"
    arguments = [str(tmp_path / "run.toml"), "--out", str(tmp_path / "run"), "--threads", "1"]
    trained = runner.invoke(cli, ["train", *arguments, "--set", "data.options.train=32"])
    assert trained.exit_code == 0, trained.output
    arguments = ["export", str(tmp_path / "run"), "--out", str(out), "--json"]
    with pytest.raises(UserError, match=r"layer 'features\.4': skips channels .*--ignore-activity"):
        runner.invoke(cli, arguments, catch_exceptions=False)
    assert not out.exists()
    result = runner.invoke(cli, [*arguments, "--ignore-activity"])
    assert result.exit_code == 0, result.output
    assert len(load(out).gated) == 3
    # Compared with the network that was trained, which skips channels.
    assert json.loads(result.stdout)["agreement"] < 1


def test_runs_that_are_not(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        CliRunner().invoke(cli, ["export", str(tmp_path)], catch_exceptions=False)
    for content in (b"PK\x03\x04", b"hello\n", b"\x88\x03\0\0\0\0\0\0{", b""):
        (tmp_path / "checkpoint.pt").write_bytes(content)
        with pytest.raises(UserError, match="not a whole checkpoint"):
            CliRunner().invoke(cli, ["export", str(tmp_path)], catch_exceptions=False)


@pytest.mark.parametrize(("signed", "grouping"), [(False, True), (True, False)])
def test_high_bits_of_some_channels_of_each_group(signed, grouping):
    """Decision for decision: base channels of two groups, in two runs of outputs or in one."""
    torch.manual_seed(1)
    conv = nn.Conv2d(12, 8, 3, padding=1, groups=2)
    stored = Stored(signed=signed, step=1 / 64)
    model = nn.Sequential(Stored(signed=True, step=1 / 32), nn.Conv2d(12, 12, 1), stored, conv)
    gate(model, "both", part=2, grouping=grouping, bits=8, high_bits=5)
    layer = model[3]
    quantize_aware(model)
    layer.activation, layer.quantize_input = stored.quantizer, False
    layer.threshold.data.normal_()
    images = torch.randn(8, 12, 6, 6)
    model(images)
    fired = []
    layer.recorder = lambda layer, base, full, on: fired.append(on)
    exported = export_trained(model.eval(), images)
    with torch.no_grad():
        model(images)
    result = run(exported.network, exported.integers(images), masks=True)
    (gated,) = exported.network.gated
    assert gated.in_channels == (24 if grouping else 18)
    assert np.mean(result.masks[gated.name] == fired[-1].numpy()) > 0.998
    assert 0.1 < result.density(gated.name) < 0.9


def test_activity_thresholds_are_refused_by_name():
    torch.manual_seed(0)
    model = gate(Residual(), "channel", part=4, activity=0.1).eval()
    with pytest.raises(UserError, match=r"layer 'conv1': skips channels .* less than 0\.1 of"):
        export_trained(model, torch.zeros(1, 1, 16, 16))


def test_centred_logits_keep_the_order():
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10)).eval()
    torch.manual_seed(0)
    nn.init.normal_(model[3].weight, 0, 0.3)
    model[3].bias.data -= 20
    images = torch.rand(256, 1, 8, 8)
    plain = quantize(model, images, method="minmax")
    centred = quantize(model, images, method="minmax", classifier=True)
    assert centred.network.graph.info["logit_offset"] < -5
    step = centred.network.outputs[0].output.scale
    assert step < 0.5 * plain.network.outputs[0].output.scale
    first, second = compare(model, plain, images), compare(model, centred, images)
    assert second["ties"] < first["ties"] and second["agreement"] > first["agreement"]
    assert second["agreement_rounded"] >= 0.98
