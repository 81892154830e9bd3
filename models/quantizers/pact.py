"""PACT: unsigned activations whose clip is learned (Choi et al., 2018)."""

import torch
from torch import nn

from models.quantizers.base import SMALLEST_STEP, Quantizer
from models.quantizers.rounding import round_half_up

__all__ = ["Pact"]


class _PactFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, clip, step, hi):
        ctx.save_for_backward(x, clip)
        return round_half_up(x / step).clamp_(0, hi) * step

    @staticmethod
    def backward(ctx, gradient):
        x, clip = ctx.saved_tensors
        above = x >= clip
        to_x = gradient * ((x >= 0) & ~above)
        to_clip = (gradient * above).sum().reshape(clip.shape) if ctx.needs_input_grad[1] else None
        return to_x, to_clip, None, None


class Pact(Quantizer):
    """clip(x, 0, α) on 2^bits - 1 steps of α / (2^bits - 1); α is a parameter.

    The gradient to α is 1 where x ≥ α and 0 elsewhere, that to x is 1 for 0 ≤ x < α. A ReLU is in
    it.
    """

    def __init__(self, bits: int = 8, *, clip: float = 6.0):
        super().__init__(bits, signed=False)
        if not clip > 0:
            raise ValueError(f"clip must be positive, not {clip!r}")
        self.clip = nn.Parameter(torch.tensor(float(clip)))

    def step(self, x: torch.Tensor | None = None) -> torch.Tensor:
        return (self.clip.detach() / self.hi).clamp_min(SMALLEST_STEP)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _PactFunction.apply(x, self.clip, self.step(), self.hi)
