"""Precision gating (Zhang et al., ICLR 2020): the base is the high bits of every activation."""

import torch

from models.layers.gated import ChannelGatedConv2d, GatedConv2d
from models.quantizers import Pact, Quantizer, round_half_up

__all__ = ["ChannelPrecisionGatedConv2d", "PrecisionGatedConv2d", "high_part"]


class _HighPart(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, step, low_bits):
        integers = round_half_up(x / step).to(torch.int32)
        return ((integers >> low_bits) << low_bits).to(x.dtype) * step

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None, None


def high_part(x: torch.Tensor, step: torch.Tensor, low_bits: int) -> torch.Tensor:
    """``x``, integers times ``step``, with the low bits of the integers cleared; straight through
    backwards.
    """
    return _HighPart.apply(x, step, low_bits)


class PrecisionGatedConv2d(GatedConv2d):
    """Activations of B bits; the base pass does their top B_hb bits, the conditional pass the
    others.

    The threshold is compared with the base result itself, without a batch norm; gradients reach the
    gate only where it fired; the penalty is ‖Δ - T‖.

    Parameters
    ----------
    bits, high_bits : B and B_hb activation : the quantizer of the input, of B
    bits; a new :class:`Pact` if None. Pass the quantizer of the layer that makes the input and
    ``quantize_input=False`` where the input is quantized already.

    Members
    -------
    activation : the input's quantizer; ``activation.step()`` is the value of its lowest bit
    high_bits, low_bits : B_hb and B - B_hb
    """

    def __init__(
        self,
        *args,
        bits: int = 4,
        high_bits: int = 3,
        activation: Quantizer | None = None,
        quantize_input: bool = True,
        slope: float = 5.0,
        sparse: bool = True,
        **kwargs,
    ):
        super().__init__(*args, slope=slope, sparse=sparse, **kwargs)
        self._set_activation(bits, high_bits, activation, quantize_input)

    def _set_activation(self, bits, high_bits, activation, quantize_input):
        activation = activation or Pact(bits).to(self.weight.device)
        if activation.bits != bits:
            raise ValueError(f"activation must have {bits} bits, not {activation.bits}")
        if not 1 <= high_bits < bits:
            raise ValueError(f"high_bits must be 1 to {bits - 1}, not {high_bits!r}")
        self.activation, self.quantize_input = activation, quantize_input
        self.high_bits, self.low_bits = high_bits, bits - high_bits

    @property
    def base_fraction(self) -> float:
        return self.high_bits / (self.high_bits + self.low_bits)

    def prepared(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(x) if self.quantize_input else x

    def base(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        high = high_part(x, self.activation.step(), self.low_bits)
        return self._conv_forward(high, weight, self.bias)

    def penalty(self) -> torch.Tensor:
        # The norm has no gradient at zero; a speck keeps it finite there.
        return (self.threshold - self.target).square().sum().add(1e-12).sqrt()

    def extra_repr(self) -> str:
        bits = self.high_bits + self.low_bits
        return f"{super().extra_repr()}, bits={bits}, high_bits={self.high_bits}"


class ChannelPrecisionGatedConv2d(PrecisionGatedConv2d, ChannelGatedConv2d):
    """Both at once: the base is the high bits of some of the channels; the gate is that of channel
    gating.
    """

    def __init__(
        self,
        *args,
        bits: int = 4,
        high_bits: int = 3,
        activation: Quantizer | None = None,
        quantize_input: bool = True,
        **kwargs,
    ):
        ChannelGatedConv2d.__init__(self, *args, **kwargs)
        self._set_activation(bits, high_bits, activation, quantize_input)

    @property
    def base_fraction(self) -> float:
        return ChannelGatedConv2d.base_fraction.fget(self) * self.high_bits / self.activation.bits

    def prepared(self, x: torch.Tensor) -> torch.Tensor:
        return ChannelGatedConv2d.prepared(self, PrecisionGatedConv2d.prepared(self, x))

    def base(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        high = high_part(x, self.activation.step(), self.low_bits)
        return ChannelGatedConv2d.base(self, high, weight)

    def penalty(self) -> torch.Tensor:
        return ChannelGatedConv2d.penalty(self)
