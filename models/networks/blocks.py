"""Pieces that the networks share."""

from torch import nn

__all__ = ["conv_bn", "conv_bn_relu"]


def conv_bn(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """A convolution that keeps the size at stride 1, and its batch norm."""
    padding = kernel // 2
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


def conv_bn_relu(*args, **kwargs) -> list[nn.Module]:
    """:func:`conv_bn` and a ReLU."""
    return [*conv_bn(*args, **kwargs), nn.ReLU()]
