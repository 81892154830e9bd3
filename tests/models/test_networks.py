"""Every network: its shape, its gates, and that its stored tensors are all quantized."""

import pytest
import torch
from torch import nn

from hwgen.errors import UserError
from models.layers import QuantReLU, Stored, gate, gated_layers, quantize_aware
from models.networks import NETWORKS, make_network

SMALL = {
    "alexnet": ({"width": 8}, (32, 32), 4),
    "fashion-binary": ({"width": 16}, (28, 28), 3),
    "fashion-small": ({"width": 16}, (28, 28), 3),
    "mobilenet-v1": ({"width": 8}, (32, 32), 13),
    "resnet-8": ({"width": 8}, (16, 16), 8),
    "resnet-18": ({"width": 8}, (16, 16), 19),
    "resnet-20": ({"width": 8}, (16, 16), 20),
    "shufflenet": ({"width": 48}, (16, 16), None),
    "vgg-11": ({"width": 8}, (32, 32), 7),
    "vgg-16": ({"width": 8}, (32, 32), 12),
}
LARGE = {"alexnet": 127, "vgg-11": 64, "vgg-16": 64}


def test_all_networks_are_tried():
    assert SMALL.keys() == NETWORKS.keys()


@pytest.mark.parametrize("name", SMALL)
def test_small_stem_gated_and_quantized(name):
    options, size, gates = SMALL[name]
    channels = 1 if size == (28, 28) else 3
    model = make_network(name, classes=7, channels=channels, size=size, **options)
    gate(model, part=4)
    if gates is not None:
        assert len(gated_layers(model)) == gates
    assert gated_layers(model)
    quantize_aware(model)
    for module in model.modules():
        assert type(module) not in (nn.ReLU, nn.Conv2d, nn.Linear)
        if isinstance(module, Stored | QuantReLU):
            assert module.quantizer is not None
    x = torch.rand(2, channels, *size)
    answers = model(x)
    assert answers.shape == (2, 7)
    answers.square().sum().backward()
    missing = [n for n, p in model.named_parameters() if p.grad is None]
    assert not missing


@pytest.mark.parametrize("name", [name for name in SMALL if not name.startswith("fashion")])
def test_large_stem(name):
    side = LARGE.get(name, 64)
    options = {"width": 48 if name == "shufflenet" else 4, "imagenet": True}
    model = make_network(name, classes=5, channels=3, size=(side, side), **options).eval()
    with torch.no_grad():
        assert model(torch.rand(1, 3, side, side)).shape == (1, 5)


@pytest.mark.parametrize(
    ("name", "millions"),
    [("resnet-20", 40.6), ("resnet-18", 555.4), ("vgg-16", 313.2), ("mobilenet-v1", 46.4)],
)
def test_published_numbers_of_products(name, millions):
    from models.training.evaluate import products

    model = make_network(name, classes=10, channels=3, size=(32, 32))
    with torch.device("meta"):
        counts = products(model.to("meta"), (3, 32, 32), "meta")
    assert sum(counts.values()) / 1e6 == pytest.approx(millions, rel=0.02)


def test_unknown_names_and_options():
    with pytest.raises(UserError, match="must be one of alexnet"):
        make_network("lenet", classes=10, channels=1, size=(28, 28))
    with pytest.raises(UserError, match="resnet-20 has width, imagenet, not 'depth'"):
        make_network("resnet-20", classes=10, channels=3, size=(32, 32), depth=3)
