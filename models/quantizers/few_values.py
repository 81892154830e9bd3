"""Weights of two or three values, activations of two: ±α, 0 and ±α, one bit."""

import torch

from models.quantizers.base import SMALLEST_STEP, Quantizer

__all__ = ["BinaryActivation", "BinaryWeight", "TernaryWeight"]


class _StraightThrough(torch.autograd.Function):
    """``values``, with the gradient ``slope`` to ``x``."""

    @staticmethod
    def forward(ctx, x, values, slope):
        ctx.save_for_backward(slope)
        return values.clone()

    @staticmethod
    def backward(ctx, gradient):
        (slope,) = ctx.saved_tensors
        return gradient * slope, None, None


def _mean_of(weight: torch.Tensor, chosen: torch.Tensor, per_channel: bool) -> torch.Tensor:
    """Mean magnitude of the chosen weights, of the tensor or of each index of its first axis."""
    axes = tuple(range(1 if per_channel else 0, weight.dim()))
    total = (weight.abs() * chosen).sum(axes, keepdim=per_channel)
    return total / chosen.sum(axes, keepdim=per_channel).clamp_min(1)


class _FewValues(Quantizer):
    """Weights α · n: ``_signs`` finds n, and α is the mean magnitude of those that are not 0."""

    def __init__(self, *, per_channel: bool = True):
        super().__init__(self.BITS, signed=True, symmetric=True)
        self.per_channel = per_channel

    def step(self, x: torch.Tensor | None = None) -> torch.Tensor:
        if x is None:
            raise ValueError("the step of these weights follows from them: pass the weights")
        weight = x.detach()
        mean = _mean_of(weight, self._signs(weight) != 0, self.per_channel)
        return mean.clamp_min(SMALLEST_STEP)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = x.detach()
        values = self._signs(weight) * self.step(weight)
        return _StraightThrough.apply(x, values, (weight.abs() <= 1).to(weight.dtype))

    @torch.no_grad()
    def integers(self, x: torch.Tensor) -> torch.Tensor:
        return self._signs(x).to(torch.int32)

    def _signs(self, weight: torch.Tensor) -> torch.Tensor:
        raise TypeError(f"{type(self).__name__} defines no signs")


class BinaryWeight(_FewValues):
    """±α, α the mean of |w| (Rastegari et al., XNOR-Net, ECCV 2016); 0 counts as positive.

    The gradient passes where |w| ≤ 1.
    """

    BITS = SIGNED_BITS_MIN = 1

    def _signs(self, weight: torch.Tensor) -> torch.Tensor:
        return torch.where(weight >= 0, 1.0, -1.0).to(weight.dtype)


class TernaryWeight(_FewValues):
    """0 or ±α: 0 where |w| ≤ 0.7 · mean of |w|, α the mean of the others (Li et al., TWN, 2016).

    Two bits. The gradient passes where |w| ≤ 1.
    """

    BITS = 2
    THRESHOLD = 0.7

    def _signs(self, weight: torch.Tensor) -> torch.Tensor:
        everything = torch.ones_like(weight)
        limit = self.THRESHOLD * _mean_of(weight, everything, self.per_channel)
        return weight.sign() * (weight.abs() > limit)


class BinaryActivation(Quantizer):
    """The sign of x as one bit: 1 where x ≥ 0, else 0.

    A bit b stands for 2b - 1. As Σ (2b-1)·w = 2·Σ b·w - Σ w, a convolution over bits is that over
    ±1 but for a factor and an offset of its channel, which the batch norm behind it takes out; and
    padding with 0 is padding with -1. So the layers that read bits need to know nothing of this.
    The gradient is that of (hardtanh(x) + 1) / 2.
    """

    OFFSET = 0.5
    """What is added before rounding half up: ``floor(x + 1/2 + 1/2) ≥ 1`` is ``x ≥ 0``."""

    def __init__(self):
        super().__init__(1, signed=False)

    def step(self, x: torch.Tensor | None = None) -> torch.Tensor:
        return torch.tensor(1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = (x.detach().abs() <= 1).to(x.dtype)
        return _StraightThrough.apply(x, (x.detach() >= 0).to(x.dtype), inside * 0.5)

    @torch.no_grad()
    def integers(self, x: torch.Tensor) -> torch.Tensor:
        return (x >= 0).to(torch.int32)
