"""Channel gating that really skips, on a CPU: gather, compute, scatter.

The base pass is an ordinary convolution. Then one dot product is computed for each output that
fired, straight from the image, and added where it belongs. Nothing else of the conditional pass is
computed. ``docs/results/skipping-kernel.md`` says from which density on that is faster than
computing everything.
"""

import ctypes

import torch
from torch import nn
from torch.nn import functional as F

from models.kernels.build import library
from models.layers import ChannelGatedConv2d, gated_layers
from models.layers.precision import PrecisionGatedConv2d

__all__ = ["SkippingConv2d", "skip"]

LANES = 16
"""Channels are filled up with zeros to a multiple of this (as in skipping.c)."""


class SkippingConv2d(nn.Module):
    """The inference form of a :class:`ChannelGatedConv2d`: the same results, less work.

    Takes layers whose base is the first channels (no grouping), without groups, dilation or τ_c, on
    a CPU in float32. ``compiled`` False uses PyTorch's own operations, which is slower but needs no
    C compiler.
    """

    def __init__(self, layer: ChannelGatedConv2d, *, compiled: bool | None = None):
        super().__init__()
        reason = _cannot_skip(layer)
        if reason:
            raise ValueError(f"the skipping kernel cannot run this layer: {reason}")
        self.layer = layer.eval()
        self.compiled = library() is not None if compiled is None else compiled
        with torch.no_grad():
            weight, count = layer.effective_weight(), layer.base_count
            inputs = layer.in_channels
            self.register_buffer("base_weight", weight[:, :count].contiguous())
            # The kernel wants the channels of a position side by side.
            rest = F.pad(weight[:, count:].permute(0, 2, 3, 1), (0, -(inputs - count) % LANES))
            self.register_buffer("rest", rest.contiguous())
            norm = layer.gate_bn
            theta = layer.threshold * (norm.running_var + norm.eps).sqrt() + norm.running_mean
            self.register_buffer("theta", theta.view(-1, 1, 1))

    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layer, count = self.layer, self.layer.base_count
        base = F.conv2d(
            x[:, :count], self.base_weight, layer.bias, layer.stride, layer.padding
        ).contiguous()
        fired = base > self.theta
        rest = self._padded(x[:, count:])
        full = base.clone()
        for image in range(len(x)):
            if self.compiled:
                self._compiled(rest[image], fired[image], full[image])
            else:
                self._plain(rest[image], fired[image], full[image])
        if layer.bn_full is None:
            return full
        return torch.where(fired, layer.bn_full(full), layer.bn_base(base))

    def _padded(self, x: torch.Tensor) -> torch.Tensor:
        """Images × rows × columns × channels, zeros around it and after its channels."""
        images, channels, height, width = x.shape
        rows, columns = self.layer.padding
        shape = (images, height + 2 * rows, width + 2 * columns, self.rest.shape[3])
        room = x.new_zeros(shape)
        inner = room[:, rows : rows + height, columns : columns + width, :channels]
        inner.copy_(x.permute(0, 2, 3, 1))
        return room

    def _compiled(self, x, fired, sums) -> None:
        numbers = (*x.shape[1:], *self.layer.kernel_size, *self.layer.stride, *fired.shape[1:])
        library().hwgen_skip(
            _pointer(x),
            *map(ctypes.c_long, (*numbers, len(sums))),
            *map(_pointer, (self.rest, fired, sums)),
        )

    def _plain(self, x, fired, sums) -> None:
        kernel, stride = self.layer.kernel_size, self.layer.stride
        windows = x.unfold(0, kernel[0], stride[0]).unfold(1, kernel[1], stride[1])
        rows, columns = fired.any(dim=0).nonzero(as_tuple=True)
        gathered = windows[rows, columns].permute(0, 2, 3, 1).flatten(1)
        for channel, weight in enumerate(self.rest.flatten(1)):
            some = fired[channel, rows, columns].nonzero().flatten()
            sums[channel, rows[some], columns[some]] += gathered[some] @ weight


def _pointer(tensor: torch.Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


def _cannot_skip(layer: nn.Module) -> str | None:
    if not isinstance(layer, ChannelGatedConv2d) or isinstance(layer, PrecisionGatedConv2d):
        return "it is no channel-gated convolution"
    if len(layer.base_starts) > 1:
        return "its base is not the first channels"
    if layer.groups > 1 or layer.dilation != (1, 1) or isinstance(layer.padding, str):
        return "it has groups, dilation or named padding"
    if bool((layer.activity > 0).any()):
        return "it has activity thresholds"
    if layer.weight.device.type != "cpu" or layer.weight.dtype != torch.float32:
        return "it is not float32 on a CPU"
    return None


def skip(model: nn.Module) -> nn.Module:
    """Replace the gated layers of ``model`` that can skip, in place, for inference; returns it."""
    for name, layer in gated_layers(model).items():
        if _cannot_skip(layer) is None:
            model.set_submodule(name, SkippingConv2d(layer))
    return model.eval()
