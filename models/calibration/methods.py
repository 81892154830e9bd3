"""Ways to choose the clip: the magnitude that becomes the largest integer."""

from collections.abc import Callable

import numpy as np

from .histogram import Histogram

__all__ = ["ACIQ_GAUSS", "ACIQ_LAPLACE", "METHODS", "clip", "quantization_error"]

ACIQ_GAUSS = {2: 1.478, 3: 1.805, 4: 2.192, 5: 2.577, 6: 2.945, 7: 3.291, 8: 3.617}
"""Clip in units of the standard deviation of a Gauss distribution, by bits (Banner et al.; values
of the released code of outlier channel splitting, Zhao et al., ICML 2019)."""

ACIQ_LAPLACE = {2: 2.332, 3: 3.045, 4: 4.004, 5: 5.083, 6: 6.232, 7: 7.427, 8: 8.653}
"""Clip in units of the mean magnitude b of a Laplace distribution, by bits; source as for Gauss."""


def levels(bits: int, signed: bool) -> int:
    """The largest integer of a magnitude: 2^(bits-1) - 1 with a sign, 2^bits - 1 without."""
    return (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1


def quantization_error(histogram: Histogram, threshold: float, top: int) -> float:
    """Mean square error, over the non-zero values seen, of ``top`` steps up to ``threshold``."""
    step = threshold / top
    centres = histogram.centres
    quantized = np.floor(centres / step + 0.5).clip(max=top) * step
    total = max(int(histogram.counts.sum()), 1)
    return float((histogram.counts * (centres - quantized) ** 2).sum() / total)


def _minmax(histogram: Histogram, bits: int, signed: bool) -> float:
    return histogram.largest


def _percentile(histogram: Histogram, bits: int, signed: bool, percent: float = 99.99) -> float:
    """The magnitude that ``percent`` of all values, zeros included, do not exceed."""
    reached = histogram.zeros + np.cumsum(histogram.counts) >= percent / 100 * histogram.seen
    index = int(np.argmax(reached))
    return min((index + 1) * histogram.width, histogram.largest)


def _mse(histogram: Histogram, bits: int, signed: bool, steps: int = 100) -> float:
    """The best of ``steps`` equally spaced thresholds, the last of which clips nothing."""
    top = levels(bits, signed)
    candidates = histogram.largest * np.arange(1, steps + 1) / steps
    errors = [quantization_error(histogram, threshold, top) for threshold in candidates]
    return float(candidates[int(np.argmin(errors))])


def _aciq(histogram: Histogram, bits: int, signed: bool) -> float:
    """Analytic clip of the better fitting of Gauss and Laplace (that of the smaller error on what
    was seen).

    Values without a sign are one half of a symmetric distribution, whose other half would take one
    more bit.
    """
    effective = bits if signed else bits + 1
    candidates = [
        min(_tabled(ACIQ_GAUSS, effective) * histogram.deviation, histogram.largest),
        min(_tabled(ACIQ_LAPLACE, effective) * histogram.mean, histogram.largest),
    ]
    top = levels(bits, signed)
    return min(candidates, key=lambda threshold: quantization_error(histogram, threshold, top))


def _tabled(table: dict[int, float], bits: int) -> float:
    """The table's value; above 8 bits it goes on by its last difference, below 2 it is flat."""
    return table[min(max(bits, 2), 8)] + max(bits - 8, 0) * (table[8] - table[7])


def _kl(histogram: Histogram, bits: int, signed: bool) -> float:
    """The clip whose quantized distribution diverges least (Kullback-Leibler) from the clipped one.

    As in Migacz, "8-bit inference with TensorRT" (GTC 2017): what is clipped is counted in the last
    bin; a level spreads its count evenly over its bins that are not empty.
    """
    top = levels(bits, signed) + 1
    counts = histogram.counts.astype(np.float64)
    if len(counts) <= top:
        return histogram.largest
    best, chosen = np.inf, len(counts)
    for kept in np.unique(np.linspace(top, len(counts), 128).astype(int)):
        reference = counts[:kept].copy()
        level = np.arange(kept) * top // kept
        occupied = reference > 0
        sums = np.bincount(level, reference, minlength=top)
        share = np.bincount(level, occupied, minlength=top)
        model = np.where(occupied, sums[level] / np.maximum(share[level], 1), 0.0)
        reference[-1] += counts[kept:].sum()
        divergence = _divergence(reference, model)
        if divergence < best:
            best, chosen = divergence, kept
    return min(chosen * histogram.width, histogram.largest)


def _divergence(p, q) -> float:
    """Kullback-Leibler divergence of two histograms; a little of everything is mixed into ``q`` so
    that it is finite.
    """
    p, q = p / p.sum(), q / max(q.sum(), 1e-30)
    q = (1 - 1e-6) * q + 1e-6 / len(q)
    some = p > 0
    return float((p[some] * np.log(p[some] / q[some])).sum())


METHODS: dict[str, Callable[..., float]] = {
    "minmax": _minmax,
    "percentile": _percentile,
    "mse": _mse,
    "aciq": _aciq,
    "kl": _kl,
}
"""Every method, by the name users type."""


def clip(histogram: Histogram, method: str, bits: int, *, signed: bool, **options) -> float:
    """The clip that ``method`` chooses for ``bits`` bits; 1.0 if nothing but zeros was seen.

    ``options`` of ``percentile``: ``percent``. ValueError for a method there is not.
    """
    if method not in METHODS:
        raise ValueError(f"calibration method must be one of {', '.join(METHODS)}, not {method!r}")
    if histogram.largest == 0:
        return 1.0
    return METHODS[method](histogram, bits, signed, **options)
