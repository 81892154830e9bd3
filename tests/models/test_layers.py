"""Gated layers against the published formulas, their gradients against finite differences."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.layers import (
    ChannelGatedConv2d,
    ChannelPrecisionGatedConv2d,
    PrecisionGatedConv2d,
    QuantReLU,
    channel_shuffle,
    gate,
    gated_layers,
    high_part,
    quantize_aware,
    recording,
    reduction,
    threshold_penalty,
)
from models.networks import make_network
from models.quantizers import Pact

SHAPES = {
    "3x3": {"in_channels": 16, "out_channels": 8, "kernel_size": 3, "padding": 1},
    "stride": {"in_channels": 16, "out_channels": 8, "kernel_size": 3, "padding": 1, "stride": 2},
    "1x1": {"in_channels": 16, "out_channels": 8, "kernel_size": 1},
    "groups": {"in_channels": 16, "out_channels": 8, "kernel_size": 3, "groups": 2},
    "bias": {"in_channels": 16, "out_channels": 8, "kernel_size": 3, "bias": True},
}


def _settled(layer, x):
    """The layer in evaluation mode with gate statistics of ``x`` and uneven thresholds."""
    layer(x)
    with torch.no_grad():
        layer.threshold.copy_(torch.linspace(-0.5, 0.7, len(layer.threshold)))
    return layer.eval()


def _reference(layer, x):
    """Yp, Y and the gate's view straight from the formulas, the base as a mask on the weights."""
    mask = layer.base_mask()[:, :, None, None]
    x = channel_shuffle(x, layer.shuffle_groups) if layer.shuffle_groups > 1 else x
    options = (layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)
    base, full = (F.conv2d(x, w, *options) for w in (layer.weight * mask, layer.weight))
    norm = layer.gate_bn
    column = (slice(None), None, None)
    seen = (base - norm.running_mean[column]) / (norm.running_var[column] + norm.eps).sqrt()
    return base, full, seen


def _assert_channel_gated(layer, x):
    layer = _settled(layer, x)
    base, full, seen = _reference(layer, x)
    distance = seen - layer.threshold[:, None, None]
    fired = (distance > 0).float()
    assert 0.05 < fired.mean() < 0.95
    sure = distance.abs() > 1e-4  # elsewhere the last bit decides
    expected = full * fired + base * (1 - fired)
    assert torch.allclose(layer(x)[sure], expected[sure], atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"grouping": True}, {"grouping": True, "shuffle": True}])
@pytest.mark.parametrize("shape", SHAPES)
def test_channel_gating_is_its_formula(shape, options):
    layer = ChannelGatedConv2d(**SHAPES[shape], part=4, **options)
    _assert_channel_gated(layer, torch.randn(4, 16, 9, 9))


def test_base_masks():
    first = ChannelGatedConv2d(8, 4, 1, part=4).base_mask()
    assert first.tolist() == [[1, 1, 0, 0, 0, 0, 0, 0]] * 4
    own = ChannelGatedConv2d(8, 4, 1, part=4, grouping=True).base_mask()
    assert own.nonzero()[:, 1].view(4, 2).tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_always_firing_is_the_plain_convolution_and_never_the_base():
    layer = ChannelGatedConv2d(16, 8, 3, part=4, padding=1)
    x = torch.randn(2, 16, 7, 7)
    layer(x)
    layer.eval()
    layer.threshold.data.fill_(-1e9)
    assert torch.equal(layer(x), F.conv2d(x, layer.weight, layer.bias, padding=1))
    layer.threshold.data.fill_(1e9)
    part = F.conv2d(x[:, :4], layer.weight[:, :4], layer.bias, padding=1)
    assert torch.allclose(layer(x), part, atol=1e-6)


def test_a_sum_equal_to_the_threshold_does_not_fire():
    layer = PrecisionGatedConv2d(1, 1, 1, bits=4, high_bits=2, bias=False).eval()
    layer.weight.data.fill_(1.0)
    layer.activation.clip.data.fill_(15.0)
    x = torch.tensor([13.0, 11.0]).view(2, 1, 1, 1)
    layer.threshold.data.fill_(12.0)
    assert layer(x).flatten().tolist() == [12, 8]  # 12 > 12 is false: high parts stay
    layer.threshold.data.fill_(11.0)
    assert layer(x).flatten().tolist() == [13, 8]


def test_two_norms_normalize_each_path():
    layer = ChannelGatedConv2d(16, 8, 3, part=4, norms=2)
    x = torch.randn(4, 16, 9, 9)
    layer = _settled(layer, x)
    with torch.no_grad():
        for norm in (layer.bn_base, layer.bn_full):
            norm.weight.uniform_(0.5, 2)
            norm.bias.normal_()
    base, full, seen = _reference(layer, x)
    distance = seen - layer.threshold[:, None, None]
    expected = torch.where(distance > 0, layer.bn_full(full), layer.bn_base(base))
    sure = distance.abs() > 1e-4
    assert torch.allclose(layer(x)[sure], expected[sure], atol=1e-5)
    assert (layer.bn_full.running_mean != layer.bn_base.running_mean).any()


def test_quiet_channels_are_skipped_whole():
    layer = ChannelGatedConv2d(16, 8, 3, part=4, activity=0.5)
    x = torch.randn(4, 16, 9, 9)
    layer = _settled(layer, x)
    base, full, seen = _reference(layer, x)
    fired = seen > layer.threshold[:, None, None]
    loud = fired.float().mean(dim=(2, 3), keepdim=True) >= 0.5
    assert loud.any() and not loud.all()
    silent = ~loud.expand_as(base)
    assert torch.allclose(layer(x)[silent], base[silent], atol=1e-5)
    assert (layer(x)[~silent] != base[~silent]).any()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", [ChannelGatedConv2d, PrecisionGatedConv2d])
def test_gate_gradient_is_that_of_the_smooth_gate(kind, sparse):
    """dL/dΔ equals finite differences of the network in which d is σ(α(G - Δ))."""
    options = {} if kind is PrecisionGatedConv2d else {"part": 4}
    layer = kind(8, 4, 3, sparse=sparse, **options).double()
    x = torch.randn(3, 8, 6, 6, dtype=torch.float64).abs()
    layer(x)
    layer.eval()
    towards = torch.randn(3, 4, 4, 4, dtype=torch.float64)
    (layer(x) * towards).sum().backward()
    seen = {}

    def look(_, base, full, fired):
        seen.update(base=base.detach(), full=full.detach(), fired=fired)

    layer.recorder = look
    layer(x)
    distance = layer.seen_by_gate(seen["base"]).detach()

    def smooth(threshold):
        d = torch.sigmoid(layer.slope * (distance - threshold[:, None, None]))
        y = seen["full"] * d + seen["base"] * (1 - d)
        return (y * towards * (seen["fired"] if sparse else 1)).sum()

    for channel in range(4):
        step = torch.zeros(4, dtype=torch.float64)
        step[channel] = 1e-5
        threshold = layer.threshold.detach()
        slope = (smooth(threshold + step) - smooth(threshold - step)) / 2e-5
        assert layer.threshold.grad[channel].item() == pytest.approx(slope.item(), rel=1e-5)


def test_weight_gradient_against_finite_differences():
    """With the decisions fixed (a huge margin) the output is smooth in the weights."""
    layer = ChannelGatedConv2d(8, 4, 3, part=4, norms=2).double()
    x = torch.randn(2, 8, 5, 5, dtype=torch.float64)
    layer(x)
    layer.eval()
    layer.threshold.data.copy_(torch.tensor([-100.0, 100.0, -100.0, 100.0]))
    (layer(x) ** 2).sum().backward()
    for index in [(0, 0, 1, 1), (0, 7, 0, 2), (1, 1, 2, 2), (1, 7, 0, 0)]:
        with torch.no_grad():
            values = []
            for change in (1e-5, -2e-5):
                layer.weight[index] += change
                values.append((layer(x) ** 2).sum().item())
            layer.weight[index] += 1e-5
        slope = (values[0] - values[1]) / 2e-5
        assert layer.weight.grad[index].item() == pytest.approx(slope, rel=1e-4, abs=1e-7)
    assert (
        layer.weight.grad[1, 7].abs().max() == 0
    )  # never fired: conditional weights learn nothing


def test_surrogate_slope_is_at_most_one_half():
    layer = ChannelGatedConv2d(8, 2, 1, part=4)
    assert layer.slope == 2 and PrecisionGatedConv2d(8, 2, 1).slope == 5


def test_precision_gating_is_its_formula():
    layer = PrecisionGatedConv2d(6, 4, 3, bits=5, high_bits=3, padding=1, bias=False).eval()
    layer.threshold.data.copy_(torch.linspace(-1, 1, 4))
    x = torch.rand(3, 6, 7, 7) * 7
    q = torch.floor(x.clamp(0, 6) * 31 / 6 + 0.5)
    step = 6 / 31
    high = torch.floor(q / 4) * 4
    low = q - high
    base = F.conv2d(high * step, layer.weight, padding=1)
    rest = F.conv2d(low * step, layer.weight, padding=1)
    fired = base > layer.threshold[:, None, None]
    assert 0.05 < fired.float().mean() < 0.95
    assert torch.allclose(layer(x), base + fired * rest, atol=1e-4)


def test_high_part_keeps_the_top_bits_in_place():
    step = torch.tensor(0.3)
    integers = torch.arange(16).float()
    assert torch.equal(high_part(integers * step, step, 2), (integers // 4 * 4) * step)


def test_both_gatings_at_once():
    layer = ChannelPrecisionGatedConv2d(8, 4, 1, part=4, bits=4, high_bits=2, bias=False)
    x = torch.rand(2, 8, 5, 5) * 6
    layer(x)
    layer.eval()
    layer.threshold.data.fill_(1e9)
    q = torch.floor(x.clamp(0, 6) * 15 / 6 + 0.5)
    high = torch.floor(q / 4) * 4 * (6 / 15)
    base = F.conv2d(high[:, :2], layer.weight[:, :2])
    assert torch.allclose(layer(x), base, atol=1e-5)
    assert layer.base_fraction == 1 / 8
    layer.threshold.data.fill_(-1e9)
    assert torch.allclose(layer(x), F.conv2d(q * (6 / 15), layer.weight), atol=1e-5)


def test_depthwise_convolutions_gate_their_precision():
    shape = {"in_channels": 8, "out_channels": 8, "kernel_size": 3, "groups": 8}
    with pytest.raises(ValueError, match="precision"):
        ChannelGatedConv2d(**shape)
    layer = PrecisionGatedConv2d(**shape)
    assert layer(torch.rand(2, 8, 5, 5)).shape == (2, 8, 3, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"part": 1}, "part"),
        ({"norms": 3}, "norms"),
        ({"activity": 2.0}, "activity"),
        ({"shuffle": True}, "grouping"),
        ({"part": 3, "grouping": True}, "divides"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ChannelGatedConv2d(16, 8, 3, **options)


def test_penalties():
    channel = ChannelGatedConv2d(16, 8, 1, target=2.0)
    precision = PrecisionGatedConv2d(16, 9, 1, target=1.0)
    assert channel.penalty() == 8 * 4
    assert precision.penalty().item() == pytest.approx(3.0)
    total = threshold_penalty(nn.Sequential(channel, precision))
    assert total.item() == pytest.approx(35.0)
    assert threshold_penalty(nn.Conv2d(1, 1, 1)) == 0
    precision.threshold.data.fill_(1.0)
    precision.penalty().backward()
    assert precision.threshold.grad.isfinite().all()


def _plain():
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 1), nn.BatchNorm2d(32), nn.ReLU()),
        nn.Flatten(),
        nn.Linear(32 * 64, 5),
    )


@pytest.mark.parametrize(
    "options", [{}, {"norms": 2}, {"grouping": True, "shuffle": True}, {"dense": ("6",)}]
)
def test_converted_networks_compute_the_same_while_every_gate_fires(options):
    model = _plain()
    x = torch.randn(4, 3, 8, 8)
    model(x)
    model.eval()
    expected = model(x)
    gate(model, **options)
    layers = gated_layers(model)
    assert list(layers) == ([] if "dense" in options else ["6"])  # first and depthwise stay dense
    for layer in layers.values():
        layer.threshold.data.fill_(-1e9)
    assert torch.allclose(model(x), expected, atol=1e-5)


def test_precision_gates_share_the_quantizer_of_the_relu_before():
    model = gate(_plain(), "precision", bits=4, high_bits=2)
    layers = gated_layers(model)
    assert list(layers) == ["3", "6"]
    assert isinstance(model[2], QuantReLU) and isinstance(model[2].quantizer, Pact)
    assert layers["3"].activation is model[2].quantizer and not layers["3"].quantize_input
    quantize_aware(model)
    assert layers["3"].activation is model[2].quantizer
    own = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1))
    assert gate(own, "precision")[1].quantize_input  # nothing before it rounds


def test_quantized_networks_keep_the_names_of_their_weights():
    model = make_network("fashion-small", classes=10, channels=1, size=(28, 28), width=16)
    names = set(model.state_dict())
    gate(model, part=4)
    quantize_aware(model)
    assert names <= set(model.state_dict())


def test_quantized_layers_compute_with_integers():
    """Every stored value is an integer times its step, and so are the weights."""
    model = make_network("resnet-8", classes=10, channels=3, size=(32, 32), width=8)
    quantize_aware(gate(model, part=4))
    x = torch.randint(0, 256, (4, 3, 16, 16)).float() / 255
    model(x)
    model.eval()
    checked = 0

    def check(module, inputs, result):
        nonlocal checked
        quotient = inputs[0] / module.step()
        assert torch.equal(result, module.integers(inputs[0]) * module.step())
        assert quotient.isfinite().all()
        checked += 1

    from models.quantizers import Quantizer

    for module in model.modules():
        if isinstance(module, Quantizer) and not hasattr(module, "per_channel"):
            module.register_forward_hook(check)
    model(x)
    assert checked > 8


def test_recorded_work_is_the_formula():
    layer = ChannelGatedConv2d(16, 8, 3, part=4)
    model = nn.Sequential(nn.Conv2d(16, 16, 1), layer)
    x = torch.randn(4, 16, 9, 9)
    model(x)
    model.eval()
    with recording(model) as works:
        model(x)
    work = works["1"]
    skipped = 1 - work.density
    assert 0 < skipped < 1
    assert work.macs == 8 * 7 * 7 * 16 * 9
    assert work.reduction == pytest.approx(1 / (1 / 4 + 3 / 4 * (1 - skipped)))
    assert reduction(works) == pytest.approx(work.reduction)
    assert int(work.fired_by_channel.sum()) == work.fired
    base, full, _ = _reference(layer, model[0](x))
    both = torch.stack([base.flatten(), full.flatten()])
    assert work.correlation == pytest.approx(torch.corrcoef(both)[0, 1].item(), rel=1e-4)
    assert layer.recorder is None


def test_average_bits():
    layer = PrecisionGatedConv2d(4, 4, 1, bits=4, high_bits=3)
    with recording(layer) as works:
        layer(torch.rand(2, 4, 6, 6))
    work = works[""]
    assert work.average_bits(4) == pytest.approx(3 + work.density * 1)
