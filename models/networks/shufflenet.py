"""ShuffleNet: grouped 1×1 convolutions whose channels are shuffled between the groups."""

import torch
from torch import nn
from torch.nn import functional as F

from models.layers import ChannelShuffle, Stored
from models.networks.blocks import conv_bn, conv_bn_relu

__all__ = ["ShuffleNet"]

STAGE_BLOCKS = (4, 8, 4)


class Unit(nn.Module):
    """1×1 grouped, shuffle, 3×3 depthwise, 1×1 grouped; added to the input, or beside its pooled
    copy.

    At stride 2 the input is averaged 3×3 and concatenated, so the branch makes the other channels.
    """

    def __init__(self, inputs: int, outputs: int, groups: int, stride: int, first: bool):
        super().__init__()
        middle = outputs // 4
        made = outputs - inputs if stride == 2 else outputs
        self.branch = nn.Sequential(
            # The stem has too few channels for groups to make sense there.
            *conv_bn_relu(inputs, middle, 1, groups=1 if first else groups),
            ChannelShuffle(groups),
            *conv_bn(middle, middle, 3, stride=stride, groups=middle),
            Stored(signed=True),
            *conv_bn(middle, made, 1, groups=groups),
        )
        self.relu = nn.ReLU() if stride == 1 else None
        self.pool = self.joined = None
        if stride == 2:
            # Both parts of a concatenation are stored with one step: it is rounded behind it.
            self.pool, self.joined = nn.AvgPool2d(3, 2, 1), Stored()

    def forward(self, x):
        if self.pool is None:
            return self.relu(x + self.branch(x))
        # The pooled copy of what a ReLU made is not negative: ReLU only the branch.
        return self.joined(torch.cat([self.pool(x), F.relu(self.branch(x))], dim=1))


class ShuffleNet(nn.Module):
    """Three stages of 4, 8 and 4 units. ``width`` is the number of channels of the first stage."""

    def __init__(
        self,
        classes: int = 10,
        channels: int = 3,
        width: int = 240,
        groups: int = 3,
        imagenet: bool = False,
    ):
        super().__init__()
        inputs = 24
        layers = [Stored(step=1 / 255), *conv_bn_relu(channels, inputs, 3)]
        if imagenet:
            layers = [Stored(step=1 / 255), *conv_bn_relu(channels, inputs, 3, stride=2)]
            layers.append(nn.MaxPool2d(3, 2, 1))
        for stage, units in enumerate(STAGE_BLOCKS):
            outputs = width << stage
            for index in range(units):
                stride = 2 if index == 0 else 1
                layers.append(Unit(inputs, outputs, groups, stride, first=stage == index == 0))
                inputs = outputs
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), Stored())
        self.classifier = nn.Linear(inputs, classes)
        self.logits = Stored(signed=True)

    def forward(self, x):
        return self.logits(self.classifier(self.features(x).flatten(1)))
