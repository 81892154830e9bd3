"""Every network of :mod:`models.networks`, gated and quantized, becomes integers as it stands."""

import pytest
import torch
from torch import nn

from models.data import load_dataset
from models.export import Pixels
from models.export.comparison import compare
from models.export.trained import export_trained
from models.layers import gate, gated_layers, quantize_aware
from models.networks import make_network
from tests.models.test_networks import SMALL


def _settled(model, images):
    """Let batch norms and quantizers see ``images``, four times sixteen of them."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.5
    with torch.no_grad():
        for part in images.float().div(255).split(16):
            model(part)
    return model.eval()


# fashion-binary cannot be gated nor widened; test_trained_widths has it as it is trained.
@pytest.mark.parametrize("name", sorted(SMALL.keys() - {"fashion-binary"}))
def test_network_becomes_integers(name):
    options, size, _ = SMALL[name]
    shape = (1 if name == "fashion-small" else 3, *size)
    data = load_dataset("generated", train=64, test=64, shape=shape)
    torch.manual_seed(0)
    model = make_network(name, classes=10, channels=shape[0], size=size, **options)
    quantize_aware(gate(model, part=4), activations="uniform")
    for layer in gated_layers(model).values():
        # In networks that were never trained one changed decision changes all that follows.
        layer.threshold.data.fill_(-100)
    _settled(model, data.train.images)
    pixels = Pixels((0.0,) * shape[0], (1.0,) * shape[0])
    exported = export_trained(model, data.train.images[:16].numpy(), pixels=pixels)
    network = exported.network
    assert len(network.gated) == len(gated_layers(model))
    assert not [layer.name for layer in network.layers if "rescale" in layer.name]
    logits = network.outputs[0].output
    assert (logits.scale, logits.bits) == (float(model.logits.quantizer.step()), 8)
    assert network.graph.info["logit_offset"] == 0
    report = compare(model, exported, data.test.images.numpy())
    assert report["agreement"] >= 0.98
