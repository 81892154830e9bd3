"""A network for 28×28 images in which every product can be one of ±1 by ±1."""

from torch import nn

from models.layers import Stored, Thermometer
from models.networks.blocks import conv_bn_relu

__all__ = ["FashionBinary"]


class FashionBinary(nn.Module):
    """Pixels as a thermometer, four 3×3 convolutions, a classifier over all positions.

    There is no mean over the image and no sum of two paths: bits cannot be added up by XNOR.
    """

    def __init__(self, classes: int = 10, channels: int = 1, width: int = 64, levels: int = 16):
        super().__init__()
        if channels != 1:
            raise ValueError(f"images must have one channel, not {channels}")
        self.features = nn.Sequential(
            Thermometer(levels),
            *conv_bn_relu(levels, width, 3, stride=2),  # 28×28 → 14×14
            *conv_bn_relu(width, width, 3, stride=2),  # → 7×7
            *conv_bn_relu(width, width, 3),
            *conv_bn_relu(width, width, 3),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(width * 7 * 7, classes, bias=False), nn.BatchNorm1d(classes)
        )
        self.logits = Stored(signed=True)

    def forward(self, x):
        return self.logits(self.classifier(self.features(x)))
