"""Trained quantizers and gates: what the network file computes is what the fake-quantized network
computed.

The modules here stand for any that train with fake quantization; ``describe`` is what their author
provides.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hwgen.errors import UserError
from models.export import EdgePlan, Gate, Leaf, quantize
from models.reference import run


class Rounding(nn.Module):
    """An activation quantizer with a fixed step."""

    def __init__(self, step: float, bits: int = 8, signed: bool = False):
        super().__init__()
        self.plan = EdgePlan(step, bits, signed)

    def forward(self, x):
        lo, hi = self.plan.range
        return (x / self.plan.scale + 0.5).floor().clamp(lo, hi) * self.plan.scale

    def integers(self, x):
        lo, hi = self.plan.range
        return (x / self.plan.scale + 0.5).floor().clamp(lo, hi)


class GatedConv(nn.Module):
    """Weights on a grid, two affine paths, a channel or a precision gate; ``gate`` None is a plain
    convolution.
    """

    def __init__(self, weight, step, gain, shift, gate=None, plan=None, stride=1):
        super().__init__()
        self.weight = nn.Parameter(weight * step.view(-1, 1, 1, 1))
        self.step, self.gain, self.shift, self.gate = step, gain, shift, gate
        self.plan, self.stride = plan, stride

    def _sum(self, x, weight):
        return F.conv2d(x, weight, stride=self.stride, padding=self.weight.shape[-1] // 2)

    def forward(self, x):
        column = (1, -1, 1, 1)
        full = self._sum(x, self.weight) * self.gain.view(column) + self.shift.view(column)
        if self.gate is None:
            return full
        gate = self.gate
        if gate.kind == "channel":
            mask = torch.from_numpy(gate.base_weight(np.ones(self.weight.shape))).float()
            base = self._sum(x, self.weight * mask)
        else:
            coarse = self.plan.scale * 2 ** (self.plan.bits - gate.high_bits)
            base = self._sum((x / coarse).floor() * coarse, self.weight)
        theta, gain, shift = (
            torch.as_tensor(a).float().view(column) for a in (gate.theta, gate.gain, gate.shift)
        )
        return torch.where(base > theta, full, base * gain + shift)


def describe(module):
    if isinstance(module, Rounding):
        return Leaf("quantize", {"plan": module.plan})
    if isinstance(module, GatedConv):
        pad = module.weight.shape[-1] // 2
        return Leaf(
            "conv",
            {
                "weight": module.weight.detach().double().numpy(),
                "weight_step": module.step.double().numpy(),
                "weight_bits": 8,
                "stride": (module.stride, module.stride),
                "padding": (pad,) * 4,
                "groups": 1,
                "gain": module.gain.double().numpy(),
                "shift": module.shift.double().numpy(),
                "gate": module.gate,
            },
        )
    return None


class Trained(nn.Module):
    """A channel gate with runs, a precision gate with a residual, a dense layer, pooling, a
    classifier.
    """

    def __init__(self, rng, exact: bool):
        super().__init__()
        self.rng, self.exact = rng, exact
        self.q0 = Rounding(self._step(-8))
        self.stem = self._conv(8, 3, 3)
        self.q1 = Rounding(self._step(-4), bits=6)
        gate = self._gate("channel", 16, 8, count=2, starts=(0, 2, 4, 6))
        self.channel = self._conv(16, 8, 3, gate, stride=2)
        self.pool = nn.MaxPool2d(3, 1, 1)
        self.q2 = Rounding(self._step(-3))
        gate = self._gate("precision", 16, 16, high_bits=3)
        self.precision = self._conv(16, 16, 1, gate, plan=self.q2.plan)
        self.q3 = Rounding(self._step(-2))
        self.q4 = Rounding(self._step(-4), signed=True)
        self.fc = self._conv(10, 16, 1)
        self.q5 = Rounding(self._step(-2), signed=True)

    def _step(self, exponent: int) -> float:
        """A power of two, so that every product and sum is exact in float32; or a little more."""
        return 2.0**exponent * (1 if self.exact else float(self.rng.uniform(1, 1.4)))

    def _real(self, lo, hi, grid, size):
        real = self.rng.uniform(lo, hi, size)
        return np.round(real / grid) * grid if self.exact else real

    def _conv(self, o, i, k, gate=None, plan=None, stride=1):
        weight = torch.from_numpy(self.rng.integers(-20, 21, (o, i, k, k))).float()
        step = torch.tensor([self._step(-6) for _ in range(o)])
        spread = 2.0 ** -round(np.log2(3 * (i * k * k) ** 0.5 / 8))
        gain = spread * (1 if self.exact else self._real(0.8, 1.3, 1, o))
        gain = gain * self.rng.choice([-1, 1], o)
        shift = self._real(-2, 4, 2**-6, o)
        as_tensor = [
            torch.as_tensor(np.broadcast_to(a, (o,)).copy()).float() for a in (gain, shift)
        ]
        return GatedConv(weight, step, *as_tensor, gate, plan, stride)

    def _gate(self, kind, o, i, **fields):
        theta = self._real(-2, 3, 2**-11, o)
        gain = np.full(o, 0.5) if self.exact else self._real(0.2, 1, 1, o)
        return Gate(kind, theta, gain, self._real(-1, 2, 2**-6, o), **fields)

    def forward(self, x):
        x = self.q1(F.relu(self.stem(self.q0(x))))
        x = self.q2(F.relu(self.pool(self.channel(x))))
        x = self.q3(F.relu(self.precision(x) + x))
        return self.q5(self.fc(self.q4(x.mean((2, 3), keepdim=True)))).flatten(1)


def _images(count, seed):
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def _exported(model, seed=0):
    return quantize(model, _images(16, seed), describe=describe)


@pytest.mark.parametrize("seed", range(4))
def test_integer_for_integer_where_floats_are_exact(seed):
    """All steps and gains are powers of two: ties of rounding and sums equal to theta occur, and
    must agree.
    """
    model = Trained(np.random.default_rng(seed), exact=True).eval()
    exported = _exported(model)
    assert [layer.kind for layer in exported.network.layers] == [
        "input", "conv", "conv", "maxpool", "conv", "global_avgpool", "conv", "output",
    ]  # fmt: skip
    images = _images(200, seed + 50)
    result = run(exported.network, exported.integers(images), taps=True)
    seen = {}
    for name in ("q1", "q2", "q3", "q4", "q5"):
        module = getattr(model, name)
        module.register_forward_hook(
            lambda m, inputs, out, name=name: seen.update({name: m.integers(inputs[0])})
        )
    with torch.no_grad():
        model(images)
    pairs = {"q1": "stem", "q2": "pool", "q3": "precision", "q4": "mean", "q5": "fc"}
    for quantizer, layer in pairs.items():
        np.testing.assert_array_equal(result.taps[layer], seen[quantizer].numpy(), layer)
        assert len(np.unique(result.taps[layer])) > 4, layer
    for layer in ("channel", "precision"):
        assert 0.05 < result.density(layer) < 0.95


@pytest.mark.parametrize("seed", range(3))
def test_same_classes_with_any_scales(seed):
    model = Trained(np.random.default_rng(seed + 20), exact=False).eval()
    exported = _exported(model)
    images = _images(2000, seed)
    with torch.no_grad():
        expected = model(images)
    result = run(exported.network, exported.integers(images))
    assert np.mean(result.classes == expected.argmax(1).numpy()) >= 0.999
    integers = np.round(expected.numpy() / model.q5.plan.scale)
    assert np.mean(result.logits == integers) >= 0.99
    assert np.abs(result.logits - integers).max() <= 8


def test_steps_of_trained_quantizers_are_kept():
    model = Trained(np.random.default_rng(7), exact=False).eval()
    network = _exported(model).network
    assert network.input.output.scale == model.q0.plan.scale
    stem = network.layer("stem").output
    assert (stem.scale, stem.bits, stem.signed) == (model.q1.plan.scale, 6, False)
    assert network.layer("channel").gate.starts == (0, 2, 4, 6)
    assert network.layer("precision").residual == "pool"


class TwoSteps(nn.Module):
    """Branches with their own quantizers meet in a concatenation."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
        self.qa, self.qb = Rounding(1 / 64, signed=True), Rounding(1 / 16, signed=True)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = torch.cat([self.qa(self.a(x)), self.qb(self.b(x))], 1)
        return self.fc(x.mean((2, 3)))


def test_concatenated_edges_get_one_scale():
    torch.manual_seed(0)
    exported = _exported(TwoSteps().eval())
    joined = exported.network.layer("cat")
    scales = {exported.network.layer(name).output.scale for name in joined.inputs}
    assert scales == {1 / 16} and exported.network.layer("a").output.scale == 1 / 64
    kinds = [layer.kind for layer in exported.network.layers]
    assert kinds.count("avgpool") == 1, "the finer branch is brought to the coarser scale"


class OneStep(TwoSteps):
    """The quantizer behind the concatenation; one branch has another of its own before."""

    def __init__(self):
        super().__init__()
        self.both = Rounding(1 / 32, signed=True)
        self.logits = Rounding(1 / 8, signed=True)

    def forward(self, x):
        x = self.both(torch.cat([self.qa(self.a(x)), self.b(x)], 1))
        return self.logits(self.fc(F.max_pool2d(x, 8).flatten(1)))


def test_a_quantizer_behind_a_concatenation_holds_for_all_operands():
    torch.manual_seed(0)
    model = OneStep().eval()
    exported = _exported(model)
    network = exported.network
    joined = network.layer("cat")
    assert joined.inputs == ("a.rescale", "b") and joined.output.scale == 1 / 32
    images = _images(300, 1)
    result = run(network, exported.integers(images))
    with torch.no_grad():
        # The input has no trained quantizer, so the network sees other numbers than the model.
        fed = torch.from_numpy(exported.integers(images) * network.input.output.scale).float()
        expected = model(fed).numpy() * 8
    assert np.mean(result.logits == expected) > 0.98


def test_a_gain_beyond_the_multiplier_is_refused_by_name():
    model = Trained(np.random.default_rng(0), exact=True).eval()
    model.stem.gain *= 2.0**26
    with pytest.raises(UserError, match="layer 'stem': channel 0 needs a multiplier"):
        _exported(model)
