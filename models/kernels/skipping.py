"""Channel gating that really skips, on a CPU: gather, compute, scatter.

The base pass is an ordinary convolution. Then, for each image, the columns of the positions where
any channel fired are gathered, one dot product is computed for each output that fired, and it is
added where it belongs. Nothing else of the conditional pass is computed. The benchmark in
``docs/results/skipping-kernel.md`` says from which sparsity on that is faster than computing
everything.
"""

import ctypes

import torch
from torch import nn
from torch.nn import functional as F

from models.kernels.build import library
from models.layers import ChannelGatedConv2d, gated_layers
from models.layers.precision import PrecisionGatedConv2d

__all__ = ["SkippingConv2d", "skip"]


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
            self.register_buffer("base_weight", weight[:, :count].contiguous())
            self.register_buffer("rest", weight[:, count:].flatten(1).contiguous())
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
        rows, columns = layer.padding
        rest = F.pad(x[:, count:], (columns, columns, rows, rows)).contiguous()
        full = base.clone()
        for image in range(len(x)):
            if self.compiled:
                self._compiled(rest[image], fired[image], full[image])
            else:
                self._plain(rest[image], fired[image], full[image])
        if layer.bn_full is None:
            return full
        return torch.where(fired, layer.bn_full(full), layer.bn_base(base))

    def _compiled(self, x, fired, sums) -> None:
        wanted = fired.any(dim=0)
        positions, length = wanted.numel(), self.rest.shape[1]
        columns = torch.empty(positions, length)
        kernel, stride = self.layer.kernel_size, self.layer.stride
        functions = library()
        functions.hwgen_gather(
            _pointer(x),
            *map(ctypes.c_long, (*x.shape, *kernel, *stride, *wanted.shape)),
            _pointer(wanted),
            _pointer(columns),
        )
        functions.hwgen_skip(
            _pointer(columns),
            _pointer(self.rest),
            _pointer(fired),
            *map(ctypes.c_long, (positions, len(sums), length)),
            _pointer(sums),
        )

    def _plain(self, x, fired, sums) -> None:
        kernel, stride = self.layer.kernel_size, self.layer.stride
        windows = x.unfold(1, kernel[0], stride[0]).unfold(2, kernel[1], stride[1])
        rows, columns = fired.any(dim=0).nonzero(as_tuple=True)
        gathered = windows[:, rows, columns].transpose(0, 1).flatten(1)
        for channel, weight in enumerate(self.rest):
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
