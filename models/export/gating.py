"""Gating a network after training: thresholds, gains and offsets from what its convolutions
computed on some images.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

from hwgen.errors import UserError

from .interpret import convolved, evaluate
from .ir import FloatGraph, Gate, Op

__all__ = ["GateSettings", "gate_graph", "parse_gate"]

# Enough positions for a quantile of each channel; more only cost memory.
_IMAGES = 32


@dataclass(frozen=True)
class GateSettings:
    """``kind`` channel: a base of ``1 / part`` of the input channels; precision: of ``high_bits``
    of ``bits``.
    """

    kind: str
    part: int = 8
    high_bits: int = 4
    bits: int = 8


def parse_gate(text: str) -> GateSettings:
    """``channel:1/P`` or ``precision:BITS`` as users write it."""
    kind, _, value = text.partition(":")
    try:
        if kind == "channel":
            part = 1 / Fraction(value)
            if part.denominator == 1 and part >= 2:
                return GateSettings("channel", part=int(part))
        elif kind == "precision" and 1 <= int(value) <= 7:
            return GateSettings("precision", high_bits=int(value))
    except (ValueError, ZeroDivisionError):
        pass
    raise UserError(f"--gate must be channel:1/P (P ≥ 2) or precision:BITS (1 … 7), not {text!r}")


def gate_graph(graph: FloatGraph, settings: GateSettings, density: float, images) -> list[str]:
    """Gate every convolution of a fused graph that can be, in place; returns their names.

    The first convolution stays as it is, and so do those with too few input channels a group. Of
    each output channel the part ``density`` with the largest base sums fires; the full result of
    the others is estimated from their base sums by a gain and an offset of their own (least
    squares).
    """
    chosen = [op.name for op in graph.ops.values() if _gateable(graph, op, settings)]

    def attach(op: Op, y, x=None, *residual) -> None:
        if op.name in chosen:
            op.attrs["gate"] = _gate(op, x, settings, density)

    evaluate(graph, images[:_IMAGES], attach)
    return chosen


def _gateable(graph: FloatGraph, op: Op, settings: GateSettings) -> bool:
    if op.kind != "conv" or op.attrs.get("exact") or graph.ops[op.inputs[0]].kind == "input":
        return False
    return settings.kind == "precision" or op.weight.shape[1] >= settings.part


def _gate(op: Op, x: torch.Tensor, settings: GateSettings, density: float) -> Gate:
    # A gate passes large base sums. Where the gain is negative those make small results: turn
    # the signs of both.
    sign = np.where(op.gain < 0, -1.0, 1.0)
    op.attrs |= {"gain": op.gain * sign, "weight": op.weight * sign[:, None, None, None]}
    fields = {}
    if settings.kind == "channel":
        fields["count"] = op.weight.shape[1] // settings.part
        kept = np.zeros_like(op.weight)
        kept[:, : fields["count"]] = op.weight[:, : fields["count"]]
        base = convolved(op, x, kept)
    else:
        fields["high_bits"] = settings.high_bits
        step = float(x.abs().max()) / 2**settings.high_bits
        base = convolved(op, (x / step).floor() * step, op.weight)
    full = convolved(op, x, op.weight) * torch.as_tensor(op.gain)[:, None, None]
    channels = len(op.weight)
    base = base.transpose(0, 1).reshape(channels, -1).double()
    full = full.transpose(0, 1).reshape(channels, -1).double()
    theta = torch.quantile(base, 1 - density, dim=1)
    gain, shift = _regression(base, full, base <= theta[:, None])
    return Gate(
        settings.kind,
        theta=theta.numpy(),
        gain=gain.numpy(),
        shift=op.shift + shift.numpy(),
        **fields,
    )


def _regression(x, y, some):
    """Slope and offset of y over x for each row, by least squares over the elements ``some``."""
    weight = some.double()
    total = weight.sum(1).clamp(min=1)
    mean_x, mean_y = (x * weight).sum(1) / total, (y * weight).sum(1) / total
    dx, dy = (x - mean_x[:, None]) * weight, (y - mean_y[:, None]) * weight
    slope = (dx * dy).sum(1) / (dx * dx).sum(1).clamp(min=1e-12)
    return slope, mean_y - slope * mean_x
