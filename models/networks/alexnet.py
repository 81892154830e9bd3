"""AlexNet, with batch norm, which gates need."""

from torch import nn

from models.layers import Stored
from models.networks.blocks import conv_bn_relu

__all__ = ["AlexNet"]


class AlexNet(nn.Module):
    """Five convolutions and three linear layers. Without ``imagenet`` the stem is 3×3 for small
    images.
    """

    def __init__(
        self, classes: int = 10, channels: int = 3, width: int = 64, imagenet: bool = False
    ):
        super().__init__()
        if imagenet:
            stem = [nn.Conv2d(channels, width, 11, 4, 2, bias=False)]
            stem += [nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2)]
            second, last, side = nn.MaxPool2d(3, 2), nn.MaxPool2d(3, 2), 6
        else:
            stem = [*conv_bn_relu(channels, width, 3), nn.MaxPool2d(2)]
            second, last, side = nn.MaxPool2d(2), nn.MaxPool2d(2), 2
        self.features = nn.Sequential(
            Stored(step=1 / 255),
            *stem,
            *conv_bn_relu(width, 3 * width, 5),
            second,
            *conv_bn_relu(3 * width, 6 * width, 3),
            *conv_bn_relu(6 * width, 4 * width, 3),
            *conv_bn_relu(4 * width, 4 * width, 3),
            last,
            nn.AdaptiveAvgPool2d(side),
            Stored(),
        )
        hidden = 64 * width if imagenet else 8 * width
        self.classifier = nn.Sequential(
            *(nn.Dropout(), nn.Linear(4 * width * side**2, hidden), nn.ReLU()),
            *(nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU()),
            nn.Linear(hidden, classes),
        )
        self.logits = Stored(signed=True)

    def forward(self, x):
        return self.logits(self.classifier(self.features(x).flatten(1)))
