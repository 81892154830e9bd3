"""Quantizers by the names that configurations use."""

from torch import nn

from models.quantizers.base import Quantizer
from models.quantizers.few_values import BinaryActivation, BinaryWeight, TernaryWeight
from models.quantizers.fixed_point import FixedPointActivation, FixedPointWeight
from models.quantizers.learned_step import LearnedStepActivation, LearnedStepWeight
from models.quantizers.pact import Pact
from models.quantizers.uniform import UniformActivation, UniformWeight

__all__ = ["ACTIVATIONS", "WEIGHTS", "make_activation", "make_weight"]

WEIGHTS = ("uniform", "lsq", "fixed", "ternary")
ACTIVATIONS = ("uniform", "pact", "lsq", "fixed")


def make_weight(kind: str, bits: int, *, per_channel: bool, layer: nn.Module) -> Quantizer:
    """A weight quantizer for ``layer``, a convolution or a linear layer.

    One bit is binary whatever the kind. ``ternary`` is for two bits, and LSQ for others.
    """
    if bits == 1:
        return BinaryWeight(per_channel=per_channel)
    if kind == "ternary" and bits == 2:
        return TernaryWeight(per_channel=per_channel)
    if kind == "uniform":
        return UniformWeight(bits, per_channel=per_channel)
    if kind == "fixed":
        return FixedPointWeight(bits, per_channel=per_channel)
    if kind in ("lsq", "ternary"):
        shape = layer.weight.shape
        channels = shape[0] if per_channel else None
        return LearnedStepWeight(bits, channels=channels, dims=len(shape))
    raise ValueError(f"a weight quantizer must be one of {', '.join(WEIGHTS)}, not {kind!r}")


def make_activation(kind: str, bits: int, *, signed: bool = False) -> Quantizer:
    """An activation quantizer. PACT has no signed form: there the range is a running maximum.

    One unsigned bit is the sign, whatever the kind.
    """
    if bits == 1 and not signed:
        return BinaryActivation()
    if kind == "uniform" or (kind == "pact" and signed):
        return UniformActivation(bits, signed=signed)
    if kind == "pact":
        return Pact(bits)
    if kind == "lsq":
        return LearnedStepActivation(bits, signed=signed)
    if kind == "fixed":
        return FixedPointActivation(bits, signed=signed)
    raise ValueError(
        f"an activation quantizer must be one of {', '.join(ACTIVATIONS)}, not {kind!r}"
    )
