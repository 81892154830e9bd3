"""The decision of a gate and its surrogate gradient, as one differentiable choice."""

import torch

__all__ = ["choose"]


class _Choose(torch.autograd.Function):
    @staticmethod
    def forward(ctx, full, base, distance, fired, slope, sparse):
        ctx.save_for_backward(full, base, distance, fired)
        ctx.slope, ctx.sparse = slope, sparse
        return torch.where(fired, full, base)

    @staticmethod
    def backward(ctx, gradient):
        full, base, distance, fired = ctx.saved_tensors
        to_full = gradient * fired
        to_base = gradient - to_full
        to_distance = None
        if ctx.needs_input_grad[2]:
            # In place: what this costs is memory traffic.
            smooth = (ctx.slope * distance).sigmoid_()
            to_distance = (full - base).mul_(to_full if ctx.sparse else gradient)
            to_distance = torch.ops.aten.sigmoid_backward(to_distance, smooth).mul_(ctx.slope)
        return to_full, to_base, to_distance, None, None, None


def choose(full, base, distance, fired, *, slope: float, sparse: bool) -> torch.Tensor:
    """``full`` where ``fired``, ``base`` elsewhere: Y·d + Yp·(1-d).

    The gate fires where ``distance`` (what it looks at, less its threshold) is positive. Backwards,
    d counts as σ(slope · distance), whose derivative slope·σ·(1-σ) is at most slope / 4; the step
    behind it passes the gradient unchanged. ``sparse`` passes none where the gate did not fire.
    """
    if not torch.is_grad_enabled():
        return torch.where(fired, full, base)
    return _Choose.apply(full, base, distance, fired, slope, sparse)
