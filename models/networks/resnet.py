"""Residual networks ResNet-8, -18 and -20, each with a stem for small or for large images."""

from torch import nn

from models.layers import Stored
from models.networks.blocks import conv_bn, conv_bn_relu

__all__ = ["BasicBlock", "ResNet", "resnet8", "resnet18", "resnet20"]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut, which is a 1×1 one where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.first = nn.Sequential(*conv_bn_relu(inputs, outputs, 3, stride=stride))
        self.second = nn.Sequential(*conv_bn(outputs, outputs, 3))
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            projection = conv_bn(inputs, outputs, 1, stride=stride)
            self.shortcut = nn.Sequential(*projection, Stored(signed=True))
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.second(self.first(x)) + self.shortcut(x))


class ResNet(nn.Module):
    """A stem, ``len(widths)`` stages of ``blocks`` blocks each, mean over the image, a classifier.

    ``imagenet`` chooses the stem: 7×7 with stride 2 and pooling for large images, 3×3 for small
    ones. Every stage but the first halves the image.
    """

    def __init__(
        self, classes: int, channels: int, widths: tuple[int, ...], blocks: int, imagenet: bool
    ):
        super().__init__()
        width = widths[0]
        stem = conv_bn_relu(channels, width, 3)
        if imagenet:
            stem = [*conv_bn_relu(channels, width, 7, stride=2), nn.MaxPool2d(3, 2, 1)]
        self.stem = nn.Sequential(Stored(step=1 / 255), *stem)
        stages, inputs = [], width
        for stage, outputs in enumerate(widths):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                stages.append(BasicBlock(inputs, outputs, stride))
                inputs = outputs
        self.stages = nn.Sequential(*stages)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), Stored())
        self.classifier = nn.Linear(inputs, classes)
        self.logits = Stored(signed=True)

    def forward(self, x):
        return self.logits(self.classifier(self.pool(self.stages(self.stem(x))).flatten(1)))


def resnet8(classes: int = 10, channels: int = 3, width: int = 16, imagenet: bool = False):
    """One block a stage: 16, 32, 64 channels."""
    return ResNet(classes, channels, (width, 2 * width, 4 * width), 1, imagenet)


def resnet20(classes: int = 10, channels: int = 3, width: int = 16, imagenet: bool = False):
    """Three blocks a stage: 16, 32, 64 channels."""
    return ResNet(classes, channels, (width, 2 * width, 4 * width), 3, imagenet)


def resnet18(classes: int = 10, channels: int = 3, width: int = 64, imagenet: bool = False):
    """Two blocks a stage: 64, 128, 256, 512 channels."""
    return ResNet(classes, channels, tuple(width << s for s in range(4)), 2, imagenet)
