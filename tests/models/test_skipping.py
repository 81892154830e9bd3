"""The kernel that skips gives what the layer gives, and really leaves work out."""

import pytest
import torch

from models.kernels import SkippingConv2d, skip
from models.kernels.build import library
from models.layers import ChannelGatedConv2d, gate, quantize_aware
from models.networks import make_network


def _layer(**options):
    layer = ChannelGatedConv2d(16, 12, 3, part=4, **options)
    x = torch.randn(3, 16, 9, 8)
    layer(x)
    with torch.no_grad():
        layer.threshold.copy_(torch.linspace(-1, 2, 12))
    return layer.eval(), x


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    "options", [{}, {"padding": 1}, {"stride": 2, "padding": 1}, {"norms": 2}, {"bias": False}]
)
def test_skipping_gives_the_same(options, compiled):
    assert library() is not None  # a fresh clone needs a C++ compiler anyway
    layer, x = _layer(**options)
    with torch.no_grad():
        expected, found = layer(x), SkippingConv2d(layer, compiled=compiled)(x)
    assert torch.allclose(found, expected, atol=1e-5)


def test_conditional_weights_are_not_touched_where_nothing_fires():
    layer, x = _layer()
    layer.threshold.data.fill_(1e9)
    kernel = SkippingConv2d(layer)
    kernel.rest.fill_(float("nan"))
    assert kernel(x).isfinite().all()
    layer.threshold.data.fill_(-1e9)
    kernel = SkippingConv2d(layer)
    kernel.rest.fill_(float("nan"))
    assert kernel(x).isnan().all()


def test_whole_networks():
    model = make_network("resnet-8", classes=10, channels=3, size=(32, 32), width=8)
    quantize_aware(gate(model, part=4))
    x = torch.rand(2, 3, 16, 16)
    model(x)
    model.eval()
    with torch.no_grad():
        expected = model(x)
        assert torch.allclose(skip(model)(x), expected, atol=1e-3)
    assert sum(isinstance(m, SkippingConv2d) for m in model.modules()) == 8


def test_layers_it_cannot_run_are_refused():
    layer = ChannelGatedConv2d(16, 16, 3, part=4, grouping=True)
    with pytest.raises(ValueError, match="base is not the first channels"):
        SkippingConv2d(layer)
