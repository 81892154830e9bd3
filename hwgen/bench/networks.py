"""Well-known networks by their shapes, with random weights: for counting cycles."""

import numpy as np

from models.netfile import Builder, Network

__all__ = ["NETWORKS", "gated_layer", "resnet18", "vgg16"]

BASE = 8
"""A gated layer computes one of so many of its input channels for every output."""

VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")


class _Net:
    """Layers with random weights one after the other; convolutions are gated if asked for."""

    def __init__(self, name: str, shape: tuple[int, int, int], gated: bool):
        self.gated = gated
        self.builder = Builder(f"{name}-{'gated' if gated else 'dense'}")
        self.last = self.builder.input(shape)
        self._rng = np.random.default_rng(0)

    def _parameters(self, channels: int, residual: bool = False) -> dict:
        column = np.ones(channels, int)
        parameters = {"M": 257 * column, "B": 0 * column, "S": 20 * column}
        return parameters | ({"Mb": 1 << 19 * column} if residual else {})

    def _weights(self, *shape: int) -> np.ndarray:
        return self._rng.integers(-127, 128, shape, np.int8)

    def conv(self, name, source, channels, kernel, stride=1, *, gate=False, residual=None) -> str:
        """A convolution that keeps the size but for its stride."""
        inputs = self.builder.edge(source).shape[0]
        options = {"full": self._parameters(channels, residual is not None)}
        if gate and self.gated:
            options["gate"] = {
                "kind": "channel",
                "count": inputs // BASE,
                "starts": (0,),
                "theta": np.zeros(channels, int),
                "base": self._parameters(channels, residual is not None),
            }
        if residual is not None:
            options["residual"] = residual
        pad = (kernel // 2,) * 4
        weights = self._weights(channels, inputs, kernel, kernel)
        self.last = self.builder.conv(
            name, source, weights, stride=(stride, stride), padding=pad, **options
        )
        return self.last

    def linear(self, name: str, features: int) -> None:
        """A classifier's layer on what is there."""
        size = self.builder.edge(self.last).size
        flat = self.builder.flatten(f"{name}.flat", self.last)
        weights = self._weights(features, size)
        self.last = self.builder.linear(name, flat, weights, full=self._parameters(features))

    def build(self) -> Network:
        """The network, its last layer being the result."""
        self.builder.output(self.last)
        return self.builder.build()


def resnet18(size: int = 224, *, gated: bool = True) -> Network:
    """ResNet-18 for images of ``size`` pixels: with the stem of ImageNet from 64 on, below with
    that of CIFAR. The 3x3 convolutions of the blocks are gated.
    """
    large = size >= 64
    net = _Net(f"resnet18-{size}", (3, size, size), gated)
    x = net.conv("conv1", net.last, 64, 7 if large else 3, 2 if large else 1)
    if large:
        x = net.builder.maxpool("maxpool", x, (3, 3), (2, 2), (1, 1, 1, 1))
    for stage, channels in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            stride = 2 if stage > 1 and block == 0 else 1
            name = f"layer{stage}.{block}"
            y = net.conv(f"{name}.conv1", x, channels, 3, stride, gate=True)
            if stride > 1:
                x = net.conv(f"{name}.downsample", x, channels, 1, stride)
            x = net.conv(f"{name}.conv2", y, channels, 3, gate=True, residual=x)
    count = net.builder.edge(x).shape[1] ** 2
    mean = {"M": (1 << 15) // count, "B": 0, "S": 15}
    net.last = net.builder.global_avgpool("avgpool", x, full=mean)
    net.linear("fc", 1000 if large else 10)
    return net.build()


def vgg16(size: int = 224, *, gated: bool = True) -> Network:
    """VGG-16 for images of ``size`` pixels; from 64 on with three layers of classifier, below with
    one. All convolutions but the first one are gated.
    """
    net = _Net(f"vgg16-{size}", (3, size, size), gated)
    x, count = net.last, 0
    for item in VGG16:
        if item == "M":
            x = net.builder.maxpool(f"pool{count}", x, (2, 2), (2, 2))
        else:
            count += 1
            x = net.conv(f"conv{count}", x, item, 3, gate=count > 1)
    net.last = x
    for name, features in (("fc1", 4096), ("fc2", 4096)) if size >= 64 else ():
        net.linear(name, features)
    net.linear("fc", 1000 if size >= 64 else 10)
    return net.build()


def gated_layer(channels: int, size: tuple[int, int]) -> Network:
    """A gated 3x3 convolution alone, from and to as many channels."""
    net = _Net("layer", (channels, *size), gated=True)
    net.conv("layer", net.last, channels, 3, gate=True)
    return net.build()


NETWORKS = {"resnet18": resnet18, "vgg16": vgg16}
