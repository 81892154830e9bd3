"""Channel shuffle: the channels of g groups, dealt one after the other."""

import torch
from torch import nn

__all__ = ["ChannelShuffle", "channel_shuffle", "shuffled_order"]


def shuffled_order(channels: int, groups: int) -> torch.Tensor:
    """``order[j]`` is the input channel that becomes output channel ``j`` of
    :func:`channel_shuffle`.
    """
    if channels % groups:
        raise ValueError(f"groups must divide the {channels} channels, not {groups!r}")
    return torch.arange(channels).view(groups, channels // groups).t().reshape(-1)


def channel_shuffle(x: torch.Tensor, groups: int) -> torch.Tensor:
    """Output channel ``i * groups + j`` is input channel ``j * (channels / groups) + i`` (N, C, H,
    W).
    """
    batch, channels, height, width = x.shape
    x = x.reshape(batch, groups, channels // groups, height, width)
    return x.transpose(1, 2).reshape(batch, channels, height, width)


class ChannelShuffle(nn.Module):
    """:func:`channel_shuffle` as a module; ``groups`` must divide the channels."""

    def __init__(self, groups: int):
        super().__init__()
        self.groups = groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return channel_shuffle(x, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
