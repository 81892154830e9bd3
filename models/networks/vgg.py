"""VGG-11 and VGG-16 with batch norm."""

from torch import nn

from models.layers import Stored
from models.networks.blocks import conv_bn_relu

__all__ = ["VGG", "vgg11", "vgg16"]

VGG11 = (1, 1, 2, 2, 2)
VGG16 = (2, 2, 3, 3, 3)


class VGG(nn.Module):
    """Five stages of 3×3 convolutions, each followed by 2×2 pooling while the image is larger than
    one.

    Small images: mean over what is left and one linear layer. ``imagenet``: 7×7 positions and the
    three linear layers of the paper.
    """

    def __init__(
        self,
        stages: tuple[int, ...],
        classes: int,
        channels: int,
        size: tuple[int, int],
        width: int,
        imagenet: bool,
    ):
        super().__init__()
        layers, inputs, side = [Stored(step=1 / 255)], channels, min(size)
        for stage, convolutions in enumerate(stages):
            outputs = min(width << stage, 8 * width)
            for _ in range(convolutions):
                layers += conv_bn_relu(inputs, outputs, 3)
                inputs = outputs
            if side >= 2:
                layers.append(nn.MaxPool2d(2))
                side //= 2
        self.features = nn.Sequential(*layers)
        if imagenet:
            hidden = 64 * width
            self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(7), Stored())
            self.classifier = nn.Sequential(
                *(nn.Linear(49 * inputs, hidden), nn.ReLU(), nn.Dropout()),
                *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout()),
                nn.Linear(hidden, classes),
            )
        else:
            self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), Stored())
            self.classifier = nn.Linear(inputs, classes)
        self.logits = Stored(signed=True)

    def forward(self, x):
        return self.logits(self.classifier(self.pool(self.features(x)).flatten(1)))


def vgg11(classes: int = 10, channels: int = 3, size=(32, 32), width: int = 64, imagenet=False):
    """Eight convolutions."""
    return VGG(VGG11, classes, channels, size, width, imagenet)


def vgg16(classes: int = 10, channels: int = 3, size=(32, 32), width: int = 64, imagenet=False):
    """Thirteen convolutions."""
    return VGG(VGG16, classes, channels, size, width, imagenet)
