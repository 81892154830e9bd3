"""Pixels as bits: one for each of several thresholds that a pixel reaches."""

import torch
from torch import nn

__all__ = ["Thermometer"]


class Thermometer(nn.Module):
    """Makes ``levels`` channels of bits of one channel of pixels 0 … 1: bit k is 1 where the byte
    is at least ``thresholds[k]``, which are spread evenly over 1 … 255.

    So a network without any layer of 8 bits can see more than black and white. Exported, the bits
    are the input of the network: whoever feeds it makes them of the bytes.
    """

    def __init__(self, levels: int = 16):
        super().__init__()
        if not 1 <= levels <= 255:
            raise ValueError(f"levels must be 1 to 255, not {levels!r}")
        self.levels = levels
        thresholds = torch.tensor([1 + 255 * k // (levels + 1) for k in range(1, levels + 1)])
        self.register_buffer("thresholds", thresholds, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[1] != 1:
            raise ValueError(f"pixels must have one channel, not {x.shape[1]}")
        byte = torch.floor(x * 255 + 0.5)
        return (byte >= self.thresholds.view(1, -1, 1, 1)).to(x.dtype)

    def extra_repr(self) -> str:
        return f"levels={self.levels}"
