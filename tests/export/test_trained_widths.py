"""Networks trained with few bits: the file computes what the fake-quantized network computed."""

import numpy as np
import pytest
import torch

from models.export import Pixels
from models.export.trained import export_trained
from models.layers import QuantReLU, quantize_aware
from models.networks.fashion_binary import FashionBinary
from models.networks.fashion_small import FashionSmall
from models.reference import run

CONVOLUTIONS = [f"features.{n}" for n in (1, 4, 7, 10)]


def _trained(layers, **options):
    """A network with quantizers whose norms and steps have seen some images."""
    torch.manual_seed(5)
    model = quantize_aware(FashionSmall(width=16), weights="ternary", layers=layers, **options)
    with torch.no_grad():
        for _ in range(8):
            model(_images(32))
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(-1.2, 1.2)
                module.bias.normal_()
    return model.eval()


def _images(count):
    return torch.randint(0, 256, (count, 1, 28, 28)) / 255


def _compared(model):
    """The network, and the share of equal integers behind each convolution."""
    exported = export_trained(model, _images(16).numpy())
    network = exported.network
    images, seen = _images(60), {}
    relus = [name for name, module in model.named_modules() if isinstance(module, QuantReLU)]
    for name, conv in zip(relus, CONVOLUTIONS, strict=True):
        module = model.get_submodule(name)
        module.register_forward_hook(
            lambda m, x, y, conv=conv: seen.update({conv: m.quantizer.integers(x[0]).numpy()})
        )
    with torch.no_grad():
        model(images)
    result = run(network, exported.integers(images), taps=True)
    equal = {}
    for conv in CONVOLUTIONS:
        found = result.taps[conv]
        if network.layer(conv).output.bipolar:
            assert set(np.unique(found)) == {-1, 1}
            found = (found + 1) // 2
        assert found.std() > 0.1
        equal[conv] = float(np.mean(found == seen[conv]))
    return network, equal


@pytest.mark.parametrize("bits", [(1, 2), (2, 1), (2, 2), (3, 5), (4, 2), (5, 3), (6, 7), (7, 4)])
def test_every_width(bits):
    widths = dict(zip(("weight_bits", "activation_bits"), bits, strict=True))
    network, equal = _compared(_trained(dict.fromkeys(CONVOLUTIONS[1:], widths)))
    for name in CONVOLUTIONS[1:]:
        layer = network.layer(name)
        assert (layer.weight_bits, network.edge(layer).bits) == bits
        assert not network.edge(layer).signed
    assert min(equal.values()) > 0.995, equal


def test_binary_layers_multiply_signs():
    one = {"weight_bits": 1, "activation_bits": 1}
    network, equal = _compared(_trained(dict.fromkeys(CONVOLUTIONS[1:], one)))
    for name in CONVOLUTIONS[1:]:
        layer = network.layer(name)
        assert network.edge(layer).bipolar and layer.weight_bits == 1
        assert set(np.unique(network.weight(layer))) == {-1, 1}
    assert min(equal.values()) > 0.995, equal
    assert network.layer(CONVOLUTIONS[-1]).output.bits == 8


def test_bits_stay_bits_where_somebody_adds_them_up():
    """The mean over the image reads the last bits, wide weights those of features.6."""
    layers = {
        "features.4": {"weight_bits": 1, "activation_bits": 1},
        "features.7": {"weight_bits": 3, "activation_bits": 1},
        "features.12": {"activation_bits": 1},
    }
    network, equal = _compared(_trained(layers))
    edges = [network.layer(name).output for name in CONVOLUTIONS]
    assert [(e.bits, e.signed) for e in edges] == [(1, True), (1, False), (8, False), (1, False)]
    assert min(equal.values()) > 0.995, equal


def test_ternary_weights():
    layers = dict.fromkeys(CONVOLUTIONS[1:], {"weight_bits": 2, "activation_bits": 4})
    network, equal = _compared(_trained(layers))
    weights = network.weight(network.layer("features.7"))
    assert set(np.unique(weights)) == {-1, 0, 1} and 0.2 < np.mean(weights == 0) < 0.8
    assert min(equal.values()) > 0.995, equal


def test_a_network_of_signs_alone():
    """Thermometer, convolutions and classifier: the logits are those of training."""
    torch.manual_seed(7)
    last = dict.fromkeys(("features.1", "classifier.1"), {"weight_bits": 1})
    model = quantize_aware(
        FashionBinary(width=16, levels=5), weight_bits=1, activation_bits=1, layers=last
    )
    with torch.no_grad():
        for _ in range(8):
            model(_images(32))
    pixels = torch.randint(0, 256, (60, 1, 28, 28), dtype=torch.uint8)
    exported = export_trained(model, pixels[:16].numpy(), pixels=Pixels((0.0,), (1.0,)))
    network = exported.network
    weighted = [layer for layer in network.layers if layer.kind in ("conv", "linear")]
    assert len(weighted) == 5 and network.input.output.shape == (5, 28, 28)
    assert all(layer.weight_bits == 1 and network.edge(layer).bipolar for layer in weighted)
    integers = exported.integers(pixels.numpy())
    thresholds = model.features[0].thresholds.numpy()[:, None, None]
    np.testing.assert_array_equal(integers, np.where(pixels.numpy() >= thresholds, 1, -1))
    with torch.no_grad():
        expected = model.logits.quantizer.integers(model.eval()(pixels / 255)).numpy()
    found = run(network, integers).logits
    assert np.mean(found == expected) > 0.99 and np.abs(found - expected).max() <= 1
