"""Learned step size quantization, LSQ (Esser et al., ICLR 2020), of weights and of activations."""

import torch
from torch import nn

from models.quantizers.base import SMALLEST_STEP, Quantizer, fake_quantize

__all__ = ["LearnedStepActivation", "LearnedStepWeight"]


class _LearnedStep(Quantizer):
    """The step is a parameter, set to 2·mean|x| / √hi by the first tensor seen in training.

    Its gradient is multiplied by 1/√(N·hi), N the number of elements that share the step.
    """

    def __init__(self, bits: int, *, signed: bool, symmetric: bool, shape: tuple[int, ...]):
        super().__init__(bits, signed=signed, symmetric=symmetric)
        self.size = nn.Parameter(torch.ones(shape))
        self.register_buffer("initialized", torch.tensor(False))

    def step(self, x: torch.Tensor | None = None) -> torch.Tensor:
        return self.size.detach().clamp_min(SMALLEST_STEP)

    @torch.no_grad()
    def initialize(self, x: torch.Tensor) -> None:
        """Set the step, or that of each channel, from the mean magnitude of ``x``."""
        axes = tuple(range(1, x.dim())) if self.size.dim() else tuple(range(x.dim()))
        mean = x.abs().mean(dim=axes, keepdim=bool(self.size.dim()))
        self.size.copy_((2 * mean / self.hi**0.5).clamp_min(SMALLEST_STEP))
        self.initialized.fill_(True)

    def _quantized(self, x: torch.Tensor, elements: int) -> torch.Tensor:
        if self.training and not self.initialized:
            self.initialize(x)
        if not torch.is_grad_enabled():
            return super().forward(x)
        # The clamp has gradient 1 wherever training can go; `step` itself is detached.
        step = self.size.clamp_min(SMALLEST_STEP)
        return fake_quantize(x, step, self.lo, self.hi, (elements * self.hi) ** -0.5)


class LearnedStepWeight(_LearnedStep):
    """Symmetric signed weights with a learned step: one, or ``channels`` of them along the first
    axis.

    ``dims`` is the number of axes of the weight: 4 for a convolution, 2 for a linear layer.
    """

    def __init__(self, bits: int = 8, *, channels: int | None = None, dims: int = 4):
        shape = () if channels is None else (channels,) + (1,) * (dims - 1)
        super().__init__(bits, signed=True, symmetric=True, shape=shape)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._quantized(x, x.numel() // self.size.numel())


class LearnedStepActivation(_LearnedStep):
    """Activations with one learned step; N counts the elements of one image."""

    def __init__(self, bits: int = 8, *, signed: bool = False):
        super().__init__(bits, signed=signed, symmetric=False, shape=())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._quantized(x, x[0].numel())
