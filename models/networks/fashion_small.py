"""A small network for 28×28 images: few cycles on the RTL, eight base channels in every gated
layer.
"""

from torch import nn

from models.layers import Stored
from models.networks.blocks import conv_bn_relu

__all__ = ["FashionSmall"]


class FashionSmall(nn.Module):
    """A stem, three 3×3 convolutions, mean over the image, a classifier. 5.5 million products."""

    def __init__(self, classes: int = 10, channels: int = 1, width: int = 64):
        super().__init__()
        self.features = nn.Sequential(
            Stored(step=1 / 255),
            *conv_bn_relu(channels, width, 3, stride=2),  # 28×28 → 14×14
            *conv_bn_relu(width, width, 3, stride=2),  # → 7×7
            *conv_bn_relu(width, width, 3),
            *conv_bn_relu(width, width, 3),
            nn.AdaptiveAvgPool2d(1),
            Stored(),
        )
        self.classifier = nn.Linear(width, classes)
        self.logits = Stored(signed=True)

    def forward(self, x):
        return self.logits(self.classifier(self.features(x).flatten(1)))
