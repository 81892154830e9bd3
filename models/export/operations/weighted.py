"""Operations with weights: convolutions, fully connected layers, batch norm."""

import numpy as np
import torch

from ..addressing import Value
from .context import Refused, operation, pair

__all__ = ["addmm", "batch_norm", "conv2d", "convolution", "linear", "native_batch_norm"]


@operation("conv2d")
def conv2d(
    context,
    label,
    node,
    x,
    weight,
    bias=None,
    stride=1,
    padding=0,
    dilation=1,
    groups=1,
):
    if not isinstance(weight, torch.Tensor) or isinstance(bias, Value):
        raise Refused("its weights depend on the input")
    if any(d != 1 for d in pair(dilation)):
        raise Refused(f"dilation must be 1, not {dilation}")
    source, kernel, stride = context.source(x, label), weight.shape[2:], pair(stride)
    sides = _sides(padding, kernel, stride)
    rows, cols = node.meta["val"].shape[2:]
    return context.append(
        label,
        "conv",
        [source],
        (len(weight), rows, cols),
        weight=weight.double().numpy().copy(),
        gain=np.ones(len(weight)),
        shift=_bias(bias, len(weight)),
        stride=stride,
        padding=sides,
        groups=groups,
    )


@operation("convolution")
def convolution(
    context,
    label,
    node,
    x,
    weight,
    bias,
    stride,
    padding,
    dilation,
    transposed,
    out_pad,
    groups,
):
    if transposed or weight.ndim != 4:
        raise Refused("only two-dimensional convolutions, not transposed ones")
    return conv2d(context, label, node, x, weight, bias, stride, padding, dilation, groups)


@operation("linear")
def linear(context, label, node, x, weight, bias=None):
    if not isinstance(weight, torch.Tensor) or isinstance(bias, Value):
        raise Refused("its weights depend on the input")
    if not isinstance(x, Value) or len(x.shape) != 2:
        raise Refused("a fully connected layer over anything but (images, features)")
    matrix = weight.double().numpy()
    source, order = x.features(context.graph, label)
    if order is not None:
        matrix = _reordered(matrix, order)
    return context.append(
        label,
        "linear",
        [source],
        (len(matrix), 1, 1),
        2,
        weight=matrix.copy(),
        gain=np.ones(len(matrix)),
        shift=_bias(bias, len(matrix)),
    )


@operation("addmm")
def addmm(context, label, node, bias, x, weight):
    return linear(context, label, node, x, weight.t(), bias)


@operation("batch_norm")
def batch_norm(
    context,
    label,
    node,
    x,
    weight,
    bias,
    mean,
    var,
    training,
    momentum,
    eps,
    cudnn=False,
):
    if training or mean is None or var is None:
        raise Refused("a batch norm without running statistics depends on its batch")
    deviation = torch.sqrt(var.double() + eps)
    gain = (torch.ones_like(deviation) if weight is None else weight.double()) / deviation
    shift = -mean.double() * gain
    if bias is not None:
        shift = shift + bias.double()
    return context.affine(label, x, gain.numpy(), shift.numpy())


@operation("_native_batch_norm_legit_no_training")
def native_batch_norm(context, label, node, x, weight, bias, mean, var, momentum, eps):
    whole = batch_norm(context, label, node, x, weight, bias, mean, var, False, momentum, eps)
    return (whole, None, None)


def _sides(padding, kernel, stride) -> tuple[int, int, int, int]:
    """top, bottom, left, right of what ``Conv2d`` takes as padding."""
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":
        top, left = (kernel[0] - 1) // 2, (kernel[1] - 1) // 2
        return (top, kernel[0] - 1 - top, left, kernel[1] - 1 - left)
    rows, cols = pair(padding)
    return (rows, rows, cols, cols)


def _bias(bias, channels: int) -> np.ndarray:
    return np.zeros(channels) if bias is None else bias.detach().double().numpy().copy()


def _reordered(matrix, order) -> np.ndarray:
    """Columns for a source in its own order, of a layer that reads feature j from ``order[j]``."""
    columns = np.zeros((len(matrix), int(order.max()) + 1 if order.size else 0))
    np.add.at(columns.T, order, matrix.T)
    return columns
