"""From real gains and shifts to the integers M, B, S of the contract."""

import numpy as np

from models.netfile import Limits, round_half_up

__all__ = ["fixed_point"]


def fixed_point(gain, shift, acc, limits: Limits, *, gain_b=None, b=None) -> dict[str, np.ndarray]:
    """M, B, S (and Mb) of ``floor(gain * acc + gain_b * b + shift + 1/2)``, one of each for every
    channel.

    ``acc`` and ``b`` are (lowest, highest) integers that the operands can be. S is the largest
    shift for which M, Mb, B and the whole sum fit ``limits``: the product is then as near to the
    real one as it can be, within 2^-(multiplier_bits - 1) of ``gain`` relatively unless ``gain`` is
    below 2^(multiplier_bits - 2 - shift_max).

    ValueError if a gain is too large for any shift.
    """
    gain, shift = (np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (gain, shift))
    if not (np.isfinite(gain).all() and np.isfinite(shift).all()):
        raise ValueError("its scale or bias is NaN or infinite")
    chosen = {key: np.zeros(len(gain), dtype=np.int64) for key in ("M", "B", "S")}
    if gain_b is not None:
        gain_b = np.broadcast_to(np.asarray(gain_b, dtype=np.float64), gain.shape)
        chosen["Mb"] = np.zeros(len(gain), dtype=np.int64)
    for S in range(1, limits.shift_max + 1):
        M, B = gain * 2.0**S, shift * 2.0**S
        Mb = None if gain_b is None else gain_b * 2.0**S
        # In floating point first: what does not fit must not be cast to an integer.
        ends = np.abs(M) * np.maximum(*map(_magnitude, acc)) + np.abs(B) + 2.0 ** (S - 1)
        fits = _within(M, limits.multiplier_bits)
        if Mb is not None:
            ends = ends + np.abs(Mb) * np.maximum(*map(_magnitude, b))
            fits &= _within(Mb, limits.residual_multiplier_bits)
        fits &= ends < 2.0 ** (limits.sum_bits - 1) * (1 - 1e-9)
        for key, real in (("M", M), ("B", B), ("S", np.full(len(gain), S)), ("Mb", Mb)):
            if real is not None:
                chosen[key][fits] = round_half_up(real[fits])
    if (chosen["S"] == 0).any():
        channel = int(np.argmin(chosen["S"]))
        raise ValueError(
            f"channel {channel} needs a multiplier of {gain[channel]:.4g} and an offset of "
            f"{shift[channel]:.4g}, which do not fit {limits.multiplier_bits} and "
            f"{limits.sum_bits} bits"
        )
    return chosen


def _magnitude(ends) -> np.ndarray:
    return np.abs(np.asarray(ends, dtype=np.float64))


def _within(real, bits: int) -> np.ndarray:
    """Where ``real``, rounded half up, fits ``bits`` bits."""
    half = 2.0 ** (bits - 1)
    return (real < half - 0.5) & (real >= -half - 0.5)
