"""Quantizers against the published formulas, rounding against exact arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from models.quantizers import (
    FixedPointActivation,
    FixedPointWeight,
    FixedStep,
    LearnedStepActivation,
    LearnedStepWeight,
    Pact,
    UniformActivation,
    UniformWeight,
    fake_quantize,
    integer_range,
    round_half_up,
    shift_round_half_up,
)

TIES = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]
HALF_LESS = float(np.nextafter(np.float32(0.5), np.float32(0)))


def test_ties_go_up_in_every_kind_of_number():
    expected = [-2, -1, 0, 1, 2, 3]
    assert round_half_up(torch.tensor(TIES)).tolist() == expected
    assert round_half_up(np.array(TIES)).tolist() == expected
    assert [round_half_up(x) for x in TIES] == expected
    assert [round_half_up(Fraction(x)) for x in TIES] == expected


def test_just_below_a_tie_goes_down():
    # In float32 this number plus one half is one.
    assert round_half_up(torch.tensor([HALF_LESS, -HALF_LESS])).tolist() == [0, 0]
    assert round_half_up(np.float32(HALF_LESS)) == 0
    below = float(np.nextafter(0.5, 0))
    assert round_half_up(below) == 0 and round_half_up(Fraction(below)) == 0


def test_rounding_is_floor_of_x_plus_half_exactly():
    x = np.random.default_rng(0).normal(0, 50, 2000).astype(np.float32)
    x = np.concatenate([x, np.arange(-40, 40, dtype=np.float32) / 2])
    exact = [math.floor(Fraction(float(v)) + Fraction(1, 2)) for v in x]
    assert round_half_up(x).tolist() == exact
    assert round_half_up(torch.from_numpy(x)).tolist() == exact


def test_shift_rounds_half_up_for_both_signs():
    acc = torch.arange(-40, 41)
    for shift in (1, 2, 5):
        exact = [math.floor(Fraction(int(a), 1 << shift) + Fraction(1, 2)) for a in acc]
        assert shift_round_half_up(acc, torch.tensor(shift)).tolist() == exact
        assert shift_round_half_up(acc.numpy(), shift).tolist() == exact


def test_ranges():
    assert integer_range(8, signed=False) == (0, 255)
    assert integer_range(8, signed=True) == (-128, 127)
    # Sign and magnitude of b bits plus a sign would not fit.
    assert integer_range(8, signed=True, symmetric=True) == (-127, 127)
    assert integer_range(2, signed=True, symmetric=True) == (-1, 1)


@pytest.mark.parametrize("bits", [0, 17, "8"])
def test_bad_widths_are_refused(bits):
    with pytest.raises((ValueError, TypeError)):
        Pact(bits)


WEIGHTS = [
    UniformWeight(4),
    UniformWeight(8, per_channel=False),
    FixedPointWeight(8),
    LearnedStepWeight(4, channels=6),
    LearnedStepWeight(8),
]


@pytest.mark.parametrize("quantizer", WEIGHTS, ids=lambda q: repr(q))
def test_weights_are_integers_times_steps(quantizer):
    weight = torch.randn(6, 4, 3, 3)
    quantized = quantizer(weight)
    integers, step = quantizer.integers(weight), quantizer.step(weight)
    assert torch.equal(quantized, integers * step)
    assert integers.min() >= quantizer.lo and integers.max() <= quantizer.hi
    assert quantizer.lo == -quantizer.hi == -(2 ** (quantizer.bits - 1) - 1)


def test_uniform_weights_reach_the_ends_of_the_range():
    weight = torch.randn(6, 4, 3, 3)
    integers = UniformWeight(8).integers(weight)
    assert integers.abs().amax(dim=(1, 2, 3)).tolist() == [127] * 6
    assert UniformWeight(8, per_channel=False).integers(weight).abs().max() == 127


def test_weights_of_zero_stay_zero():
    for quantizer in (UniformWeight(8), FixedPointWeight(8)):
        assert quantizer(torch.zeros(2, 2, 1, 1)).abs().max() == 0


def test_fixed_point_steps_are_powers_of_two_that_clip_nothing():
    weight = torch.tensor([[1.0], [127.0], [127.1], [0.3]])
    step = FixedPointWeight(8).step(weight).flatten()
    exponents = torch.log2(step)
    assert torch.equal(exponents, exponents.round())
    assert (step * 127 >= weight.flatten()).all()
    assert (step / 2 * 127 < weight.flatten()).all()
    assert step[1] == 1 and step[2] == 2


def test_pact_against_its_formula():
    pact = Pact(4, clip=3.0)
    x = torch.tensor([-1.0, 0.0, 0.1, 1.49, 2.99, 3.0, 7.0], requires_grad=True)
    y = pact(x)
    expected = [math.floor(min(max(v, 0), 3) * 15 / 3 + 0.5) * 3 / 15 for v in x.tolist()]
    assert torch.allclose(y, torch.tensor(expected))
    y.backward(torch.arange(1.0, 8.0))
    assert x.grad.tolist() == [0, 2, 3, 4, 5, 0, 0]
    assert pact.clip.grad == 6 + 7


def test_learned_step_gradient_against_its_formula():
    quantizer = LearnedStepWeight(3)
    quantizer.initialized.fill_(True)
    with torch.no_grad():
        quantizer.size.fill_(0.5)
    x = torch.tensor([-9.0, -0.6, 0.2, 0.74, 1.5, 9.0], requires_grad=True)
    quantizer(x).sum().backward()
    scaled = [v / 0.5 for v in x.tolist()]
    per = [-3 if v < -3 else 3 if v > 3 else math.floor(v + 0.5) - v for v in scaled]
    assert quantizer.size.grad.item() == pytest.approx(sum(per) / math.sqrt(6 * 3), rel=1e-5)
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 0]


def test_learned_step_gradient_is_the_slope_where_nothing_rounds_anew():
    # Clipped values are step · hi, a smooth function of the step.
    x = torch.full((5,), 100.0, dtype=torch.float64)
    step = torch.tensor(0.25, dtype=torch.float64, requires_grad=True)
    fake_quantize(x, step, 0, 15).sum().backward()
    with torch.no_grad():
        more, less = (fake_quantize(x, step + e, 0, 15).sum() for e in (1e-4, -1e-4))
    assert step.grad.item() == pytest.approx(((more - less) / 2e-4).item())


def test_learned_step_begins_at_twice_the_mean_magnitude():
    x = torch.randn(4, 8)
    quantizer = LearnedStepActivation(8)
    quantizer(x)
    assert quantizer.step() == pytest.approx(2 * x.abs().mean().item() / math.sqrt(255))
    before = quantizer.step().clone()
    quantizer(10 * x)
    assert quantizer.step() == before


@pytest.mark.parametrize("kind", [UniformActivation, FixedPointActivation])
def test_running_maximum_moves_only_in_training(kind):
    quantizer = kind(8)
    quantizer(torch.tensor([1.0, 4.0]))
    assert quantizer.full_scale == 4
    quantizer(torch.tensor([8.0]))
    assert quantizer.full_scale == pytest.approx(4 + 0.05 * 4)
    quantizer.eval()
    quantizer(torch.tensor([100.0]))
    assert quantizer.full_scale == pytest.approx(4.2)


def test_pixels_are_their_own_integers():
    pixels = torch.arange(256)
    assert torch.equal(FixedStep(1 / 255).integers(pixels.float() / 255), pixels.int())


def test_gradients_are_off_in_evaluation_too():
    x = torch.rand(3, 2)
    for quantizer in (Pact(8), UniformActivation(8), LearnedStepActivation(8)):
        trained = quantizer(x)
        quantizer.eval()
        with torch.no_grad():
            assert torch.equal(quantizer(x), trained)
