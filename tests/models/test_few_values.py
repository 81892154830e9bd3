"""Binary and ternary weights and binary activations, against their formulas."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.quantizers import (
    BinaryActivation,
    BinaryWeight,
    LearnedStepWeight,
    TernaryWeight,
    make_activation,
    make_weight,
)


def _weight(seed=0, shape=(6, 5, 3, 3)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.3


@pytest.mark.parametrize("per_channel", [True, False])
def test_binary_weights_are_signs_times_the_mean_magnitude(per_channel):
    weight = _weight()
    weight[0, 0, 0] = torch.tensor([0.0, -0.0, -1e-30])
    quantizer = BinaryWeight(per_channel=per_channel)
    signs = np.where(weight.numpy() >= 0, 1, -1)
    mean = weight.abs().numpy().mean((1, 2, 3) if per_channel else None, keepdims=per_channel)
    np.testing.assert_array_equal(quantizer.integers(weight), signs)
    np.testing.assert_allclose(quantizer(weight), signs * mean, rtol=1e-6)
    assert (quantizer.bits, quantizer.lo, quantizer.hi) == (1, -1, 1)


@pytest.mark.parametrize("per_channel", [True, False])
def test_ternary_weights_leave_out_the_small_ones(per_channel):
    weight = _weight(1)
    quantizer = TernaryWeight(per_channel=per_channel)
    rows = weight.numpy().reshape(6 if per_channel else 1, -1).astype(np.float64)
    kept = np.abs(rows) > 0.7 * np.abs(rows).mean(1, keepdims=True)
    alpha = np.array([np.abs(row[some]).mean() for row, some in zip(rows, kept, strict=True)])
    expected = np.sign(rows) * kept
    assert 0.3 < 1 - kept.mean() < 0.6
    found = quantizer.integers(weight).numpy().reshape(rows.shape)
    np.testing.assert_array_equal(found, expected)
    values = quantizer(weight).numpy().reshape(rows.shape)
    np.testing.assert_allclose(values, expected * alpha[:, None], rtol=1e-5)
    assert (quantizer.bits, quantizer.lo, quantizer.hi) == (2, -1, 1)


@pytest.mark.parametrize("kind", [BinaryWeight, TernaryWeight])
def test_gradients_of_weights_pass_up_to_one(kind):
    weight = torch.tensor([[-1.5, -1.0, -0.1, 0.0, 0.9, 1.5]], requires_grad=True)
    kind()(weight).backward(torch.arange(1.0, 7.0)[None])
    assert weight.grad.tolist() == [[0, 2, 3, 4, 5, 0]]


def test_weights_of_zeros_stay_finite():
    for quantizer in (BinaryWeight(), TernaryWeight()):
        assert quantizer(torch.zeros(2, 3)).abs().max() <= 1e-8


def test_a_binary_activation_is_the_sign_as_a_bit():
    x = torch.tensor([-2.0, -1.0, -1e-30, -0.0, 0.0, 0.5, 1.0, 2.0], requires_grad=True)
    bits = BinaryActivation()(x)
    assert bits.tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert BinaryActivation().integers(x).tolist() == bits.tolist()
    bits.sum().backward()
    assert x.grad.tolist() == [0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0]


def test_bits_train_as_signs_padded_with_minus_one_do():
    """A batch norm behind the convolution takes out what differs: result and gradients agree."""
    generator = torch.Generator().manual_seed(3)
    real = torch.randn(4, 5, 7, 7, generator=generator, dtype=torch.float64)
    weight = torch.randn(6, 5, 3, 3, generator=generator, dtype=torch.float64)
    goal = torch.randn(4, 6, 7, 7, generator=generator, dtype=torch.float64)
    found = []
    for literal in (False, True):
        x, w = real.clone().requires_grad_(), weight.clone().requires_grad_()
        norm = nn.BatchNorm2d(6, eps=1e-15, dtype=torch.float64)
        if literal:
            hard = F.hardtanh(x)
            sign = hard + (torch.where(x >= 0, 1.0, -1.0) - hard).detach()
            y = F.conv2d(F.pad(sign, (1,) * 4, value=-1.0), BinaryWeight()(w))
        else:
            y = F.conv2d(BinaryActivation()(x), BinaryWeight()(w), padding=1)
        y = norm(y)
        ((y - goal) ** 2).sum().backward()
        found.append((y.detach(), x.grad, w.grad))
    for bits, signs in zip(*found, strict=True):
        torch.testing.assert_close(bits, signs, rtol=1e-9, atol=1e-9)


def test_kinds_and_widths_of_quantizers():
    layer = nn.Linear(4, 3)
    for kind in ("uniform", "lsq", "fixed", "ternary"):
        made = make_weight(kind, 1, per_channel=True, layer=layer)
        assert isinstance(made, BinaryWeight)
    two, four = (make_weight("ternary", b, per_channel=True, layer=layer) for b in (2, 4))
    assert isinstance(two, TernaryWeight) and isinstance(four, LearnedStepWeight)
    assert four.bits == 4
    assert isinstance(make_activation("pact", 1), BinaryActivation)
    assert make_activation("lsq", 2).hi == 3
    with pytest.raises(ValueError, match="bits must be 2 to 16, not 1"):
        make_activation("lsq", 1, signed=True)
