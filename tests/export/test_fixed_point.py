"""M, B and S: as near to the real gain as the widths allow, and never beyond them."""

from fractions import Fraction

import numpy as np
import pytest

from models.export.fixed_point import fixed_point
from models.netfile import Limits, requantize


@pytest.mark.parametrize("bits", [12, 16, 24])
def test_gain_is_as_precise_as_the_multiplier(bits):
    limits = Limits(multiplier_bits=bits)
    gain = 2.0 ** np.random.default_rng(0).uniform(-15, 4, 500) * np.tile([1, -1], 250)
    found = fixed_point(gain, np.zeros(500), (-100, 100), limits)
    error = np.abs(found["M"] / 2.0 ** found["S"] - gain) / np.abs(gain)
    reachable = np.abs(gain) * 2.0**limits.shift_max >= 2 ** (bits - 2)
    assert error[reachable].max() <= 2.0 ** -(bits - 1)
    assert found["M"].max() < 2 ** (bits - 1) and found["M"].min() >= -(2 ** (bits - 1))


def test_results_are_the_real_ones_rounded_half_up():
    rng = np.random.default_rng(1)
    gain, shift = 2.0 ** rng.uniform(-14, -6, 200), rng.uniform(-60, 60, 200)
    found = fixed_point(gain, shift, (-(2**21), 2**21), Limits())
    acc = rng.integers(-(2**14), 2**14, 200)
    y = requantize(acc, found["M"], found["B"], found["S"], -(10**9), 10**9)
    half = Fraction(1, 2)
    exact = [
        int((Fraction(g) * int(a) + Fraction(s) + half).__floor__())
        for g, a, s in zip(gain, acc, shift, strict=True)
    ]
    assert np.abs(y - exact).max() <= 1 and np.mean(y == exact) > 0.97


@pytest.mark.parametrize("sum_bits", [40, 44, 48])
def test_sums_fit_for_every_accumulator(sum_bits):
    limits = Limits(sum_bits=sum_bits)
    rng = np.random.default_rng(2)
    gain, shift = 2.0 ** rng.uniform(-20, 2, 300), rng.uniform(-1e6, 1e6, 300)
    lo, hi = -rng.integers(1, 2**24, 300), rng.integers(1, 2**24, 300)
    q = fixed_point(gain, shift, (lo, hi), limits, gain_b=rng.uniform(-3, 3, 300), b=(-128, 127))
    limit = 1 << (sum_bits - 1)
    for acc in (lo, hi):
        for b in (-128, 127):
            total = acc * q["M"] + b * q["Mb"] + q["B"] + (1 << (q["S"] - 1))
            assert total.max() < limit and total.min() >= -limit


def test_a_residual_keeps_the_precision_of_the_accumulator():
    """An accumulator's gain is small, a residual's near one: with one shift, Mb must be wide."""
    found = fixed_point([2.0**-11], [0], (-(2**20), 2**20), Limits(), gain_b=[0.9], b=(0, 255))
    assert found["M"][0] >= 2**13 and abs(found["Mb"][0] / 2.0 ** found["S"][0] - 0.9) < 1e-6
    narrow = Limits(residual_multiplier_bits=16)
    found = fixed_point([2.0**-11], [0], (-(2**20), 2**20), narrow, gain_b=[0.9], b=(0, 255))
    assert found["M"][0] == 2**4


@pytest.mark.parametrize(
    ("gain", "shift", "said"),
    [(40000.0, 0.0, "multiplier of 4e"), (1.0, 1e15, "offset of 1e"), (np.nan, 0.0, "NaN")],
)
def test_what_fits_no_shift(gain, shift, said):
    with pytest.raises(ValueError, match="channel 1|NaN") as refusal:
        fixed_point([1.0, gain], [0.0, shift], (-100, 100), Limits())
    assert said in str(refusal.value)


def test_a_dead_channel_is_its_offset():
    found = fixed_point([0.0], [7.5], (-(2**20), 2**20), Limits())
    assert requantize(12345, found["M"], found["B"], found["S"], 0, 255) == 8
