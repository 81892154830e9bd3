"""Dynamic fixed point: the step is a power of two, and the radix point moves with layer and kind of
data.
"""

import torch

from models.quantizers.uniform import UniformActivation, UniformWeight

__all__ = ["FixedPointActivation", "FixedPointWeight", "power_of_two_above"]


def power_of_two_above(step: torch.Tensor) -> torch.Tensor:
    """The smallest power of two that is at least ``step``, exactly."""
    mantissa, exponent = torch.frexp(step)  # step = mantissa · 2^exponent, mantissa in [1/2, 1)
    exponent = exponent - (mantissa == 0.5).to(exponent.dtype)
    return torch.ldexp(torch.ones_like(step), exponent)


class FixedPointWeight(UniformWeight):
    """Symmetric signed weights in fixed point; the fraction bits follow the largest weight."""

    def step(self, x: torch.Tensor | None = None) -> torch.Tensor:
        return power_of_two_above(super().step(x))


class FixedPointActivation(UniformActivation):
    """Activations in fixed point; the fraction bits follow a running maximum."""

    def step(self, x: torch.Tensor | None = None) -> torch.Tensor:
        return power_of_two_above(super().step(x))
