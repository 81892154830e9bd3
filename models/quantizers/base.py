"""What all quantizers share: the integer range, the fake-quantized forward pass, its gradients."""

import torch
from torch import nn

from models.quantizers.rounding import round_half_up

__all__ = ["Quantizer", "fake_quantize", "integer_range"]

SMALLEST_STEP = 1e-8
"""Steps are kept above this, so that a tensor of zeros quantizes to zeros and not to NaN."""


def integer_range(bits: int, *, signed: bool, symmetric: bool = False) -> tuple[int, int]:
    """(lo, hi) of ``bits`` bits. Symmetric (weights) is ±(2^(bits-1) - 1), which fits the
    hardware's signed operand; one symmetric bit is -1 or 1, without 0.
    """
    if not signed:
        return 0, (1 << bits) - 1
    if symmetric and bits == 1:
        return -1, 1
    hi = (1 << (bits - 1)) - 1
    return (-hi if symmetric else -hi - 1), hi


class _FakeQuantize(torch.autograd.Function):
    """step · clamp(round_half_up(x / step), lo, hi); straight through to x inside the range, LSQ
    gradient to step.
    """

    @staticmethod
    def forward(ctx, x, step, lo, hi, gradient_scale):
        scaled = x / step
        integers = round_half_up(scaled).clamp_(lo, hi)
        ctx.save_for_backward(scaled, integers, step)
        ctx.range, ctx.gradient_scale = (lo, hi), gradient_scale
        return integers * step

    @staticmethod
    def backward(ctx, gradient):
        scaled, integers, step = ctx.saved_tensors
        lo, hi = ctx.range
        inside = (scaled >= lo) & (scaled <= hi)
        to_x = gradient * inside
        to_step = None
        if ctx.needs_input_grad[1]:
            # Inside: round(v) - v. Outside: the end of the range, which `integers` holds there.
            to_step = gradient * (integers - scaled * inside)
            to_step = to_step.sum_to_size(step.shape) * ctx.gradient_scale
        return to_x, to_step, None, None, None


def fake_quantize(
    x: torch.Tensor, step: torch.Tensor, lo: int, hi: int, gradient_scale: float = 1.0
) -> torch.Tensor:
    """The values of the integers ``clamp(round_half_up(x / step), lo, hi)``: integer times
    ``step``.

    ``step`` broadcasts over ``x``. The gradient to ``x`` is 1 where ``x / step`` lies in ``lo …
    hi`` and 0 elsewhere; the gradient to ``step``, if it wants one, is that of LSQ (Esser et al.,
    ICLR 2020) times ``gradient_scale``.
    """
    if torch.is_grad_enabled():
        return _FakeQuantize.apply(x, step, lo, hi, gradient_scale)
    return round_half_up(x / step).clamp(lo, hi) * step


class Quantizer(nn.Module):
    """Maps real numbers to ``bits``-bit integers times a step, and back in the same pass.

    ``forward(x)`` is ``integers(x) * step``, differentiable; ``integers(x)`` are the integers
    themselves. The zero point is 0. With ``per_channel`` the step has one value for each index of
    the first axis (weights).

    Members
    -------
    bits, signed : width of the integers, and whether they can be negative lo, hi :
    range of the integers; signed weights are symmetric, signed activations use all of two's
    complement
    """

    SIGNED_BITS_MIN = 2

    def __init__(self, bits: int, *, signed: bool, symmetric: bool = False):
        super().__init__()
        least = self.SIGNED_BITS_MIN if signed else 1
        if not least <= bits <= 16:
            raise ValueError(f"bits must be {least} to 16, not {bits!r}")
        self.bits, self.signed = bits, signed
        self.lo, self.hi = integer_range(bits, signed=signed, symmetric=symmetric)

    def step(self, x: torch.Tensor | None = None) -> torch.Tensor:
        """The real value of one integer step, shaped to broadcast over ``x``.

        Weight quantizers whose step follows the weights need ``x``; the others ignore it.
        """
        raise TypeError(f"{type(self).__name__} defines no step")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return fake_quantize(x, self.step(x), self.lo, self.hi)

    @torch.no_grad()
    def integers(self, x: torch.Tensor) -> torch.Tensor:
        """The integers of ``x``, as int32: exactly those that the forward pass multiplies by the
        step.
        """
        return round_half_up(x / self.step(x)).clamp(self.lo, self.hi).to(torch.int32)

    def extra_repr(self) -> str:
        return f"bits={self.bits}, signed={self.signed}"
