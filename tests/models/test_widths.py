"""Widths of single layers, from the TOML file to the quantizers."""

import pytest
import torch
from torch import nn

from hwgen.errors import UserError
from models.layers import Stored, gate, quantize_aware
from models.networks.fashion_small import FashionSmall
from models.training import Place, load_config, load_data, train
from models.training.build import build
from models.training.config import Training
from models.training.session import _begin_with

MIXED = {
    "features.4": {"weight_bits": 4, "activation_bits": 3},
    "features.7": {"weight_bits": 1, "activation_bits": 1},
    "features.1[0]": {"weight_bits": 2, "activation_bits": 2},
}


def _widths(model):
    weights, edges = {}, {}
    for name, module in model.named_modules():
        if getattr(module, "weight_quantizer", None) is not None:
            weights[name] = module.weight_quantizer.bits
        if isinstance(module, nn.ReLU | Stored):
            edges[name] = module.quantizer.bits
    return weights, edges


def test_widths_of_a_layer_go_to_its_weights_and_to_what_makes_its_input():
    model = quantize_aware(FashionSmall(width=8), layers=MIXED)
    weights, edges = _widths(model)
    expected = {"features.1": 8, "features.4": 4, "features.7": 1, "features.10": 2}
    assert weights == expected | {"classifier": 8}
    assert [edges[f"features.{n}"] for n in (0, 3, 6, 9, 12, 14)] == [8, 3, 1, 2, 8, 8]
    assert edges["logits"] == 8
    x = torch.rand(2, 1, 28, 28)
    model(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_later_rules_win_and_edges_can_be_named():
    rules = {
        "features.*": {"weight_bits": 4},
        "features.7": {"weight_bits": 6, "activation_bits": 5},
        "features.12": {"activation_bits": 4},
        "classifier": {"weight_bits": 7, "activation_bits": 6},
    }
    weights, edges = _widths(quantize_aware(FashionSmall(width=8), layers=rules))
    assert list(weights.values()) == [4, 4, 6, 4, 7]
    assert (edges["features.6"], edges["features.12"], edges["features.14"]) == (5, 4, 6)


class Fork(nn.Module):
    """One ReLU that two convolutions read."""

    def __init__(self):
        super().__init__()
        self.stem, self.relu = nn.Conv2d(1, 4, 1), nn.ReLU()
        self.a, self.b = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        x = self.relu(self.stem(x))
        return self.a(x) + self.b(x)


@pytest.mark.parametrize(
    ("model", "rules", "message"),
    [
        (FashionSmall(), {"conv1": {}}, "none is called 'conv1'; there are features.0, features.1"),
        (FashionSmall(), {"features.1": {"activation_bits": 4}}, "features.1: .*pixels have a"),
        (FashionSmall(), {"features.0": {"activation_bits": 4}}, "features.0: .*pixels have a"),
        (FashionSmall(), {"features.3": {"weight_bits": 4}}, "'features.3' has no weights"),
        (
            Fork(),
            {"a": {"activation_bits": 4}, "b": {"activation_bits": 2}},
            "b reads relu in 2 bits, a in 4",
        ),
        (
            Fork(),
            {"relu": {"activation_bits": 4}, "b": {"activation_bits": 2}},
            "b reads relu in 2 bits, has 4",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1)),
            {"1": {"activation_bits": 4}},
            "1: activation_bits: no ReLU alone makes its input",
        ),
    ],
)
def test_rules_that_cannot_hold_are_refused(model, rules, message):
    with pytest.raises(ValueError, match=f"^layers: {message}"):
        quantize_aware(model, layers=rules)


def test_a_precision_gate_keeps_its_bits():
    model = gate(FashionSmall(width=8), "precision", bits=4, high_bits=3)
    with pytest.raises(ValueError, match="features.3 has 4 bits from its precision gate"):
        quantize_aware(model, layers={"features.4": {"activation_bits": 2}})


RUN = """
network = { name = "fashion-small", options = { width = 8 } }
data = { name = "generated", options = { train = 32, test = 8 } }
schedule = { epochs = 1, batch = 16 }
[quantization.layers]
"features.7" = { weight_bits = 1, activation_bits = 1 }
"""


def test_the_file_of_a_run_has_them(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(RUN)
    config = load_config(path)
    assert Training.model_validate(config.model_dump(mode="json")) == config
    model = build(config, load_data(config, None))
    assert model.features[7].weight_quantizer.bits == model.features[6].quantizer.bits == 1
    path.write_text(RUN.replace("features.7", "conv7"))
    with pytest.raises(UserError, match="layers: none is called 'conv7'"):
        build(load_config(path), load_data(config, None))
    path.write_text(RUN.replace("= 1 }", "= 0 }"))
    with pytest.raises(UserError, match=r"features.7.activation_bits: .*greater than or equal"):
        load_config(path)


def test_a_run_starts_from_another_in_other_widths(tmp_path):
    """Weights are kept, steps only where the widths are the same; another network is refused."""
    path = tmp_path / "run.toml"
    path.write_text(RUN.replace("train = 32", "train = 16"))
    here = Place(0, 1, torch.device("cpu"))
    first = load_config(path)
    train(first, load_data(first, None), tmp_path / "first", here)
    state = torch.load(tmp_path / "first" / "checkpoint.pt", weights_only=True)["model"]
    start = f"start={tmp_path / 'first'}"
    rules = "quantization.layers={}"
    for settings, same in (((start,), True), ((start, rules), False)):
        config = load_config(path, settings)
        model = build(config, load_data(config, None))
        _begin_with(model, config, load_data(config, None))
        mine = model.state_dict()
        for name in ("features.4.weight", "features.5.running_mean", "classifier.bias"):
            assert torch.equal(mine[name], state[name]), name
        name = "features.3.quantizer.size"
        assert torch.equal(mine[name], state[name]) == same
    config = load_config(path, (start, "network.options.width=4"))
    with pytest.raises(UserError, match="start: .*first: another network: it has weights of"):
        train(config, load_data(config, None), tmp_path / "second", here)
