"""Calibration methods on distributions whose answer is known, and outlier channel splitting."""

import math

import numpy as np
import pytest

from models.calibration import METHODS, Histogram, clip, quantization_error
from models.netfile import round_half_up
from models.splitting import split_weights


def _laplace(count=200_000, seed=0):
    return np.random.default_rng(seed).laplace(0, 1, count)


def test_histogram_does_not_depend_on_the_order_of_batches():
    values = _laplace()
    ways = [values, values[::-1], np.sort(values)]
    histograms = [Histogram(), Histogram(), Histogram()]
    for histogram, way in zip(histograms, ways, strict=True):
        for batch in np.array_split(way, 7):
            histogram.observe(batch)
        assert histogram.seen == len(values)
        assert histogram.largest == np.abs(values).max()
        assert histogram.mean == pytest.approx(np.abs(values).mean())
        assert histogram.deviation == pytest.approx(values.std(), rel=1e-3)
        assert histogram.counts.sum() == len(values)
        inside = np.abs(values) <= histogram.width * 100
        assert histogram.counts[:100].sum() == inside.sum()


def test_zeros_are_apart_and_nan_is_refused():
    histogram = Histogram().observe(np.zeros(10)).observe(np.array([0.0, 2.0]))
    assert histogram.zeros == 11 and histogram.counts.sum() == 1 and histogram.seen == 12
    with pytest.raises(ValueError, match="NaN"):
        histogram.observe(np.array([1.0, np.nan]))


@pytest.mark.parametrize("method", METHODS)
def test_nothing_but_zeros_and_one_value(method):
    assert clip(Histogram().observe(np.zeros(5)), method, 8, signed=False) == 1.0
    assert 0 < clip(Histogram().observe(np.full(5, 3.0)), method, 8, signed=True) <= 3.0


def test_unknown_method():
    with pytest.raises(ValueError, match="minmax, percentile, mse, aciq, kl"):
        clip(Histogram().observe(np.ones(3)), "best", 8, signed=True)


def test_percentile_counts():
    values = np.concatenate([np.linspace(0.001, 1, 9999), [50.0]])
    histogram = Histogram(1 << 16).observe(values)
    assert clip(histogram, "percentile", 8, signed=False, percent=99.99) == pytest.approx(
        1, abs=2e-3
    )
    assert clip(histogram, "percentile", 8, signed=False, percent=100) == 50.0


@pytest.mark.parametrize("bits", [3, 4, 6, 8])
def test_mse_is_the_best_of_all_methods_and_of_all_clips(bits):
    histogram = Histogram().observe(_laplace())
    top = (1 << (bits - 1)) - 1
    best = quantization_error(histogram, clip(histogram, "mse", bits, signed=True), top)
    for method in METHODS:
        other = quantization_error(histogram, clip(histogram, method, bits, signed=True), top)
        assert best <= other * 1.01
    grid = np.linspace(0.02, 1, 400) * histogram.largest
    assert best <= 1.02 * min(quantization_error(histogram, t, top) for t in grid)


@pytest.mark.parametrize("bits", [3, 4, 6])
def test_aciq_knows_its_distributions(bits):
    from models.calibration import ACIQ_GAUSS, ACIQ_LAPLACE

    rng = np.random.default_rng(0)
    laplace = Histogram().observe(rng.laplace(0, 2.0, 200_000))
    gauss = Histogram().observe(rng.normal(0, 3.0, 200_000))
    assert clip(laplace, "aciq", bits, signed=True) == pytest.approx(
        ACIQ_LAPLACE[bits] * 2.0, rel=0.02
    )
    assert clip(gauss, "aciq", bits, signed=True) == pytest.approx(ACIQ_GAUSS[bits] * 3.0, rel=0.02)
    half = Histogram().observe(np.maximum(rng.normal(0, 3.0, 200_000), 0))
    expected = ACIQ_GAUSS[bits + 1] * 3.0
    assert clip(half, "aciq", bits, signed=False) == pytest.approx(expected, rel=0.02)


def test_clipping_methods_ignore_one_outlier():
    values = np.concatenate([np.random.default_rng(0).normal(0, 1, 100_000), [1000.0]])
    histogram = Histogram(1 << 16).observe(values)
    assert clip(histogram, "minmax", 4, signed=True) == 1000
    for method in ("percentile", "aciq", "kl"):
        assert clip(histogram, method, 4, signed=True) < 50, method


def test_aware_split_adds_no_rounding_error():
    rng = np.random.default_rng(0)
    weight = np.concatenate(
        [rng.normal(0, 20, (64, 8, 3, 3)), np.arange(-288, 288).reshape(64, 1, 3, 3) / 2], 1
    )
    step = rng.uniform(0.25, 3.0, 64)
    grid = step[:, None, None, None]
    split = split_weights(weight, 1.0, step=step)
    assert split.weight.shape == (64, 18, 3, 3)
    rounded = round_half_up(split.weight / grid)
    merged = np.zeros(weight.shape, dtype=np.int64)
    for channel, source in enumerate(split.order):
        merged[:, source] += rounded[:, channel]
    once = np.bincount(split.order) <= 2
    np.testing.assert_array_equal(merged[:, once], round_half_up(weight / grid)[:, once])


def test_ties_are_why_rounding_is_half_up():
    """(w - 1/2)/2 and (w + 1/2)/2 sum to round(w) half up, which half to even breaks."""
    w = np.arange(-40, 40) / 8
    low, high = (w - 0.5) / 2, (w + 0.5) / 2
    np.testing.assert_array_equal(round_half_up(low) + round_half_up(high), round_half_up(w))
    assert (np.rint(low) + np.rint(high) != np.rint(w)).any()


@pytest.mark.parametrize("ratio", [0, 0.01, 0.3, 1])
def test_naive_split_computes_the_same_and_takes_the_largest_first(ratio):
    weight = np.random.default_rng(1).normal(0, 1, (5, 10))
    weight[2, 7] = 40
    split = split_weights(weight, ratio)
    assert split.weight.shape[1] == 10 + math.ceil(ratio * 10)
    x = np.random.default_rng(2).normal(0, 1, 10)
    np.testing.assert_allclose(split.weight @ x[split.order], weight @ x)
    if ratio:
        assert split.order[10] == 7 and np.abs(split.weight).max() <= 20
    if ratio == 0.3:
        assert list(split.order[10:]) == [7, 7, 7], "copies may be split again"
