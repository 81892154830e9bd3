"""Layers that compute with quantized values: what is stored between layers is an integer times a
step.
"""

import torch
from torch import nn
from torch.nn import functional as F

from models.quantizers import Quantizer

__all__ = ["QuantConv2d", "QuantLinear", "QuantReLU", "Stored"]


class QuantConv2d(nn.Conv2d):
    """A convolution whose weights pass through ``weight_quantizer``; without one it is
    ``nn.Conv2d``.

    Members
    -------
    weight_quantizer : a :class:`Quantizer` or None. ``weight_quantizer.integers(weight)`` and
        ``weight_quantizer.step(weight)`` are what an exporter needs.
    """

    def __init__(self, *args, weight_quantizer: Quantizer | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        if self.padding_mode != "zeros":
            raise ValueError(f"padding_mode must be 'zeros', not {self.padding_mode!r}")
        self.weight_quantizer = weight_quantizer

    @classmethod
    def like(cls, conv: nn.Conv2d, **options):
        """A layer with the shape, weights, device and mode of ``conv``."""
        layer = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            stride=conv.stride,
            padding=conv.padding,
            dilation=conv.dilation,
            groups=conv.groups,
            bias=conv.bias is not None,
            padding_mode=conv.padding_mode,
            device=conv.weight.device,
            dtype=conv.weight.dtype,
            **options,
        )
        layer.weight, layer.bias = conv.weight, conv.bias
        return layer.train(conv.training)

    def effective_weight(self) -> torch.Tensor:
        """The weights that are computed with."""
        return self.weight if self.weight_quantizer is None else self.weight_quantizer(self.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(x, self.effective_weight(), self.bias)


class QuantLinear(nn.Linear):
    """A linear layer whose weights pass through ``weight_quantizer``."""

    def __init__(self, *args, weight_quantizer: Quantizer | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.weight_quantizer = weight_quantizer

    @classmethod
    def like(cls, linear: nn.Linear, **options):
        """A layer with the shape and weights of ``linear``."""
        layer = cls(
            linear.in_features, linear.out_features, bias=linear.bias is not None, **options
        )
        layer.weight, layer.bias = linear.weight, linear.bias
        return layer.train(linear.training)

    def effective_weight(self) -> torch.Tensor:
        """The weights that are computed with."""
        return self.weight if self.weight_quantizer is None else self.weight_quantizer(self.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.effective_weight(), self.bias)


class QuantReLU(nn.ReLU):
    """A ReLU whose result is stored: an unsigned ``quantizer`` clamps at zero and rounds."""

    def __init__(self, quantizer: Quantizer):
        super().__init__()
        if quantizer.signed:
            raise ValueError("the quantizer of a ReLU must be unsigned")
        self.quantizer = quantizer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.quantizer(x)


class Stored(nn.Identity):
    """Marks a tensor that the accelerator stores though no ReLU makes it: the input, a shortcut, a
    pooled map.

    A network that computes in floating point passes it unchanged. With a ``quantizer`` it is
    rounded here. ``step`` fixes the step beforehand (pixels: 1/255); else the quantizer finds it in
    training.
    """

    def __init__(self, *, signed: bool = False, step: float | None = None):
        super().__init__()
        self.signed, self.fixed_step = signed, step
        self.quantizer: Quantizer | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.quantizer is None else self.quantizer(x)
