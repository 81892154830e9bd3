"""Uniform quantizers whose step follows what they see: the largest weight, or a running maximum."""

import torch

from models.quantizers.base import SMALLEST_STEP, Quantizer

__all__ = ["FixedStep", "UniformActivation", "UniformWeight", "magnitude"]


def magnitude(weight: torch.Tensor, per_channel: bool) -> torch.Tensor:
    """The largest absolute value, of the tensor or of each index of its first axis."""
    weight = weight.detach().abs()
    if not per_channel:
        return weight.amax()
    return weight.amax(dim=tuple(range(1, weight.dim())), keepdim=True)


class UniformWeight(Quantizer):
    """Symmetric signed weights, step = max|w| / (2^(bits-1) - 1), per tensor or per channel."""

    def __init__(self, bits: int = 8, *, per_channel: bool = True):
        super().__init__(bits, signed=True, symmetric=True)
        self.per_channel = per_channel

    def step(self, x: torch.Tensor | None = None) -> torch.Tensor:
        if x is None:
            raise ValueError("the step of these weights follows from them: pass the weights")
        return (magnitude(x, self.per_channel) / self.hi).clamp_min(SMALLEST_STEP)


class FixedStep(Quantizer):
    """Activations with a step that is known beforehand, as that of pixels: 1/255."""

    def __init__(self, step: float, bits: int = 8, *, signed: bool = False):
        super().__init__(bits, signed=signed)
        if not step > 0:
            raise ValueError(f"step must be positive, not {step!r}")
        self.register_buffer("value", torch.tensor(float(step)))

    def step(self, x: torch.Tensor | None = None) -> torch.Tensor:
        return self.value


class UniformActivation(Quantizer):
    """Activations whose range is a running maximum: full scale ← (1-m)·full scale + m·max|x| while
    training.

    The first batch sets the full scale at once. In evaluation nothing moves.
    """

    def __init__(self, bits: int = 8, *, signed: bool = False, momentum: float = 0.05):
        super().__init__(bits, signed=signed)
        self.momentum = momentum
        self.register_buffer("full_scale", torch.tensor(0.0))

    def step(self, x: torch.Tensor | None = None) -> torch.Tensor:
        return (self.full_scale / self.hi).clamp_min(SMALLEST_STEP)

    @torch.no_grad()
    def observe(self, x: torch.Tensor) -> None:
        """Let the full scale follow ``x``; for unsigned integers only what is above zero counts."""
        largest = x.abs().amax() if self.signed else x.amax().clamp_min(0)
        largest = largest.to(self.full_scale.dtype)
        moved = torch.lerp(self.full_scale, largest, self.momentum)
        self.full_scale.copy_(torch.where(self.full_scale > 0, moved, largest))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.observe(x)
        return super().forward(x)
