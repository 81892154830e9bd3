"""MobileNetV1: depthwise 3×3 and pointwise 1×1 convolutions in turn."""

from torch import nn

from models.layers import Stored
from models.networks.blocks import conv_bn_relu

__all__ = ["MobileNetV1"]

BLOCKS = ((2, 1), (4, 2), (4, 1), (8, 2), (8, 1), (16, 2), *5 * ((16, 1),), (32, 2), (32, 1))
"""(output channels in units of ``width``, stride of the depthwise convolution)."""


class MobileNetV1(nn.Module):
    """Thirteen separable convolutions; ``imagenet`` gives the stem stride 2, and so the first
    halving.
    """

    def __init__(
        self, classes: int = 10, channels: int = 3, width: int = 32, imagenet: bool = False
    ):
        super().__init__()
        stem = conv_bn_relu(channels, width, 3, stride=2 if imagenet else 1)
        layers, inputs = [Stored(step=1 / 255), *stem], width
        for factor, stride in BLOCKS:
            layers += conv_bn_relu(inputs, inputs, 3, stride=stride, groups=inputs)
            layers += conv_bn_relu(inputs, factor * width, 1)
            inputs = factor * width
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), Stored())
        self.classifier = nn.Linear(inputs, classes)
        self.logits = Stored(signed=True)

    def forward(self, x):
        return self.logits(self.classifier(self.features(x).flatten(1)))
