"""Networks as other people write them: traced, quantized, run in integers, or refused by the name
of the layer.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hwgen.errors import UserError
from models.export import Pixels, normalized, quantize
from models.netfile import load, save
from models.reference import run


def conv_bn(i, o, kernel=3, stride=1, groups=1, activation=None):
    layers = [
        nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(o),
    ]
    return nn.Sequential(*layers, *([activation] if activation else []))


class PlainResidual(nn.Module):
    """A ResNet with the parameter-free shortcut: strided slices and channels of zeros."""

    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 8, activation=nn.ReLU(inplace=True))
        self.conv1, self.conv2 = conv_bn(8, 16, stride=2), conv_bn(16, 16)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.stem(x)
        y = self.conv2(F.relu(self.conv1(x)))
        y += F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4), "constant", 0)
        return self.fc(F.relu(y).mean((2, 3)))


class InvertedResidual(nn.Module):
    """Depthwise convolutions, ReLU6, a linear bottleneck with an add, dropout."""

    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 8, stride=2, activation=nn.ReLU6())
        self.expand = conv_bn(8, 24, 1, activation=nn.ReLU6(inplace=True))
        self.depthwise = conv_bn(24, 24, groups=24, activation=nn.ReLU6())
        self.project = conv_bn(24, 8, 1)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 10))

    def forward(self, x):
        x = self.stem(x)
        x = x + self.project(self.depthwise(self.expand(x)))
        return self.head(nn.functional.adaptive_avg_pool2d(x, (1, 1)).reshape(x.shape[0], -1))


class ShuffledHalves(nn.Module):
    """ShuffleNet V2: split in halves, concatenate, shuffle by view and transpose, split again."""

    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 16, stride=2, activation=nn.ReLU())
        self.branches = nn.ModuleList(conv_bn(8, 8, activation=nn.ReLU()) for _ in range(2))
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.pool(self.stem(x))
        for branch in self.branches:
            kept, changed = x.chunk(2, dim=1)
            x = torch.cat((kept, branch(changed)), dim=1)
            n, c, h, w = x.shape
            x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        return self.fc(F.avg_pool2d(x, x.shape[2:]).flatten(1))


class Plain(nn.Module):
    """AlexNet's shape: maximum pooling that reaches over the edge, flatten, biases, hard tanh,
    softmax.
    """

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 12, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(12, 16, 3, padding="same"),
            nn.Hardtanh(0, 4),
            nn.AvgPool2d(2),
        )
        self.classifier = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x):
        return F.log_softmax(self.classifier(torch.flatten(self.features(x), 1)), dim=1)


class Dense(nn.Module):
    """DenseNet: batch norm and ReLU after a concatenation; constants; normalization inside the
    model.
    """

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1))
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(11)
        self.second = nn.Conv2d(11, 8, 1, bias=False)
        self.fc = nn.Linear(8 * 5 * 5, 10)

    def forward(self, x):
        x = (x - self.mean) / 0.25
        x = torch.cat([self.first(x), x], 1)
        x = self.second(F.relu(self.bn(x)))
        x = nn.functional.adaptive_max_pool2d(x, 5)
        # Rows, columns, channels: as a network converted from another framework flattens.
        return self.fc(x.permute(0, 2, 3, 1).reshape(len(x), -1))


class SmallVgg(nn.Module):
    """VGG made for large images and fed with small ones: one position is spread over 4×4."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(10, 10),
            nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, 2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d((4, 4))
        self.classifier = nn.Sequential(
            *(nn.Linear(16 * 16, 32), nn.ReLU(True), nn.Dropout()), nn.Linear(32, 10)
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class Inception(nn.Module):
    """Channels scaled one by one; branches of 1×1, 1×7 and 7×1; strided pooling; concatenations."""

    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 12, activation=nn.ReLU())
        self.one = conv_bn(12, 8, 1, activation=nn.ReLU())
        self.seven = nn.Sequential(
            nn.Conv2d(12, 8, (1, 7), padding=(0, 3), bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, (7, 1), padding=(3, 0), bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        )  # fmt: skip
        self.pooled = conv_bn(12, 8, 1, activation=nn.ReLU())
        self.reduced = conv_bn(24, 12, stride=2, activation=nn.ReLU())
        self.fc = nn.Linear(36, 10)

    def forward(self, x):
        parts = [torch.unsqueeze(x[:, c], 1) * (0.2 + 0.1 * c) + 0.1 * c for c in range(3)]
        x = self.stem(torch.cat(parts, 1))
        pooled = self.pooled(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))
        x = torch.cat([self.one(x), self.seven(x), pooled], 1)
        x = torch.cat([self.reduced(x), F.max_pool2d(x, kernel_size=3, stride=2, padding=1)], 1)
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


def settle(model: nn.Module) -> nn.Module:
    """Random but plausible: batch norm has seen data, weights keep the variance."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    model.train()
    with torch.no_grad():
        for seed in range(20):
            model(_images(32, seed))
    return model.eval()


def _images(count: int, seed: int = 0, size: int = 20):
    """Blurred noise: neighbours are alike, as in pictures."""
    noise = torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))
    return F.avg_pool2d(F.pad(noise, (2, 2, 2, 2), "replicate"), 5, 1) * 3 - 1


FOREIGN = [PlainResidual, InvertedResidual, ShuffledHalves, Plain, Dense, SmallVgg, Inception]


@pytest.mark.parametrize("make", FOREIGN)
def test_integers_follow_the_float_network(make, tmp_path):
    model = settle(make())
    quantized = quantize(model, _images(64, 7))
    network = load(save(quantized.network, tmp_path / "net.safetensors"))
    images = _images(64, 8)
    result = run(network, quantized.integers(images))
    with torch.no_grad():
        expected = model(images).double().numpy()
    classifier = network.layer(network.outputs[0].inputs[0])
    found = result.logits * classifier.output.scale
    expected -= expected.mean(1, keepdims=True)
    found -= found.mean(1, keepdims=True)
    error = np.sqrt(((found - expected) ** 2).mean() / (expected**2).mean())
    assert error < 0.04, f"signal to noise {-20 * np.log10(error):.1f} dB"


def test_adding_is_fused_into_the_later_convolution():
    network = quantize(settle(PlainResidual()), _images(8)).network
    kinds = [layer.kind for layer in network.layers]
    assert kinds == ["input", "conv", "conv", "conv", "conv", "global_avgpool", "linear", "output"]
    assert network.layer("conv2.0").residual is not None
    shortcut = network.layer(network.layer("conv2.0").residual)
    assert shortcut.stride == (2, 2) and shortcut.kernel == (1, 1)
    assert sorted(np.unique(network.weight(shortcut))) == [0, 1]


def test_shortcut_moves_integers_unchanged():
    quantized = quantize(settle(PlainResidual()), _images(8))
    taps = run(quantized.network, quantized.integers(_images(4)), taps=True).taps
    network = quantized.network
    shortcut = network.layer("conv2.0").residual
    np.testing.assert_array_equal(taps[shortcut][:, 4:12], taps["stem.0"][:, :, ::2, ::2])
    assert not taps[shortcut][:, :4].any() and not taps[shortcut][:, 12:].any()


def test_shuffles_are_layers_not_copies_of_channels():
    network = quantize(settle(ShuffledHalves()), _images(8)).network
    kinds = [layer.kind for layer in network.layers]
    assert kinds.count("shuffle") == 2 and kinds.count("split") == 4 and kinds.count("concat") == 2


@pytest.mark.parametrize("mean", [(0.0,) * 3, (0.4, 0.5, 0.6)])
def test_fed_with_bytes(mean):
    pixels = Pixels(mean, (0.25, 0.25, 0.25))
    model = settle(PlainResidual())
    images = (_images(64, 3).clamp(0, 1) * 255).to(torch.uint8).numpy()
    quantized = quantize(model, images, pixels=pixels)
    assert quantized.network.input.output.signed == any(mean)
    assert (quantized.network.input.full is not None) == any(mean)
    logits = run(quantized.network, quantized.integers(images)).logits
    with torch.no_grad():
        expected = model(normalized(images, pixels)).numpy()
    scale = quantized.network.layer("fc").output.scale
    assert np.abs(logits * scale - expected).max() < 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("bits", [4, 6])
def test_fewer_bits(bits):
    network = quantize(settle(PlainResidual()), _images(64), bits=bits).network
    inner = network.layer("conv2.0")
    assert inner.weight_bits == bits and inner.output.bits == bits and inner.hi <= 2**bits - 1
    assert network.input.output.bits == network.layer("fc").output.bits == 8


def test_equal_runs_give_equal_files(tmp_path):
    files, model = [], settle(InvertedResidual())
    for index in range(2):
        quantized = quantize(model, _images(16))
        files.append(save(quantized.network, tmp_path / f"{index}.safetensors").read_bytes())
    assert files[0] == files[1]


class Refused(nn.Module):
    def __init__(self, **modules):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        x = self.stem(x)
        for name, module in self.named_children():
            x = module(x) if name != "stem" else x
        return x


class SqueezeExcite(nn.Module):
    def forward(self, x):
        return x * x.mean((2, 3), keepdim=True)


class Crop(nn.Module):
    def forward(self, x):
        return F.relu(x[:, :, 1:-1, 1:-1])


class SizesInPython(nn.Module):
    """Arithmetic on sizes, a constant computed from parameters, and a layer under no_grad."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
        self.fc = nn.Linear(3, 10)

    def forward(self, x):
        n, c, h, w = x.shape
        x = x * self.scale.exp().view(1, c, 1, 1) / float(h * w)
        return self.fc(x.reshape(n, c, -1).unflatten(2, (h, w)).mean(dim=[2, 3]))


def test_arithmetic_on_sizes_and_constants():
    torch.manual_seed(0)
    model, images = SizesInPython().eval(), _images(32)
    quantized = quantize(model, images)
    assert [layer.kind for layer in quantized.network.layers] == [
        "input", "avgpool", "global_avgpool", "linear", "output",
    ]  # fmt: skip
    found = run(quantized.network, quantized.integers(images)).logits
    with torch.no_grad():
        expected = model(images).numpy()
    scale = quantized.network.outputs[0].output.scale
    assert np.abs(found * scale - expected).max() < 0.05 * np.abs(expected).max()


class VaryingConstant(nn.Module):
    def forward(self, x):
        return x + torch.arange(18.0)


@pytest.mark.parametrize(
    ("name", "module", "said"),
    [
        ("act", nn.SiLU(), "silu"),
        ("wide", nn.Conv2d(4, 4, 3, dilation=2), "dilation"),
        ("up", nn.ConvTranspose2d(4, 4, 2, 2), "conv_transpose2d"),
        ("norm", nn.GroupNorm(2, 4), "group_norm"),
        ("excite", SqueezeExcite(), "multiplies two activations"),
        ("pool", nn.AdaptiveAvgPool2d(5), "unequal"),
        ("average", nn.AvgPool2d(3, 1, 1, count_include_pad=False), "does not count its padding"),
        ("crop", Crop(), "crop"),
        ("bias", VaryingConstant(), "differs between positions"),
        ("dense", nn.Linear(18, 3), "fully connected"),
        ("softmax", nn.Sequential(nn.Softmax(1), nn.ReLU()), "anywhere but at the end"),
        ("mirror", nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), "reflect"),
    ],
)
def test_refused_by_name(name, module, said):
    with pytest.raises(UserError) as refusal:
        quantize(Refused(**{name: module}), _images(2))
    message = str(refusal.value)
    assert f"layer '{name}" in message and said in message and "\n" not in message


def test_bad_calibration_data():
    model = PlainResidual()
    with pytest.raises(UserError, match="NaN"):
        quantize(model, torch.full((1, 3, 8, 8), float("nan")))
    with pytest.raises(UserError, match="cannot trace"):
        quantize(model, torch.zeros(1, 4, 8, 8))
    with pytest.raises(UserError, match="accepted"):
        quantize(model, torch.zeros(3, 8, 8))
