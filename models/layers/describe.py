"""What the trained layers are, for the exporter (:mod:`models.export`): real numbers, nothing
rounded here.
"""

import numpy as np
import torch
from torch import nn

from hwgen.errors import UserError
from models.layers.gated import ChannelGatedConv2d, GatedConv2d
from models.layers.precision import PrecisionGatedConv2d
from models.layers.quantized import QuantConv2d, QuantLinear, QuantReLU, Stored
from models.layers.thermometer import Thermometer
from models.quantizers import BinaryActivation, Quantizer

__all__ = ["describe"]


def describe(module: nn.Module):
    """The operations that ``module`` stands for, or None if it is to be traced as it is.

    A convolution's sums are those of weights times activations; ``gain`` and ``shift`` take the
    full sum, and the gate's own ``gain`` and ``shift`` the base sum, to the layer's result (bias,
    inner batch norms).
    """
    from models.export import EdgePlan, Leaf

    if isinstance(module, Quantizer):
        plan = EdgePlan(float(module.step()), module.bits, module.signed)
        quantize = Leaf("quantize", {"plan": plan})
        if not isinstance(module, BinaryActivation):
            return quantize
        middle = {"gain": np.ones(1), "shift": np.full(1, module.OFFSET)}
        return [Leaf("affine", middle), quantize]
    if isinstance(module, Thermometer):
        thresholds = module.thresholds.cpu().numpy()
        return Leaf("thermometer", {"thresholds": thresholds, "plan": EdgePlan(1.0, 1, False)})
    if isinstance(module, QuantReLU):
        return describe(module.quantizer)
    if isinstance(module, Stored):
        return None if module.quantizer is None else describe(module.quantizer)
    if isinstance(module, QuantLinear) and module.weight_quantizer is not None:
        shift = _numbers(module.bias) if module.bias is not None else np.zeros(len(module.weight))
        return Leaf("linear", _weights(module) | {"gain": np.ones(len(shift)), "shift": shift})
    if isinstance(module, GatedConv2d):
        return _gated(module)
    if isinstance(module, QuantConv2d) and module.weight_quantizer is not None:
        return Leaf("conv", _convolution(module))
    return None


def _numbers(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().cpu().numpy()


def _weights(layer) -> dict:
    quantizer = layer.weight_quantizer
    if quantizer is None:
        return {"weight": _numbers(layer.weight)}
    step = quantizer.step(layer.weight).detach().double().cpu().reshape(-1)
    return {
        "weight": quantizer.integers(layer.weight).double().cpu().numpy()
        * step.expand(len(layer.weight)).numpy().reshape(-1, *[1] * (layer.weight.dim() - 1)),
        "weight_step": step.expand(len(layer.weight)).numpy().copy(),
        "weight_bits": quantizer.bits,
    }


def _convolution(layer: QuantConv2d) -> dict:
    if layer.dilation != (1, 1):
        raise UserError(f"dilation must be 1, not {layer.dilation}")
    if isinstance(layer.padding, str):
        raise UserError(f"padding must be numbers, not {layer.padding!r}")
    rows, columns = layer.padding
    bias = np.zeros(layer.out_channels) if layer.bias is None else _numbers(layer.bias)
    return _weights(layer) | {
        "stride": tuple(layer.stride),
        "padding": (rows, rows, columns, columns),
        "groups": layer.groups,
        "gain": np.ones(layer.out_channels),
        "shift": bias,
    }


def _affine(norm: nn.BatchNorm2d | None, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gain and shift from a convolution's sum to its result: bias, then batch norm."""
    if norm is None:
        return np.ones(len(bias)), bias
    gain = _numbers(norm.weight) / np.sqrt(_numbers(norm.running_var) + norm.eps)
    return gain, _numbers(norm.bias) + gain * (bias - _numbers(norm.running_mean))


def _gated(layer: GatedConv2d):
    from models.export import Gate, Leaf

    quiet = float(layer.activity.max())
    if quiet > 0:
        raise UserError(
            f"skips channels that fire at less than {quiet:g} of an image's positions (activity, "
            "τ_c), but the accelerator decides on each output by itself, before it has seen the "
            "image; hwgen export --ignore-activity leaves them out"
        )
    attrs = _convolution(layer)
    bias = attrs["shift"]
    theta = _numbers(layer.threshold)
    kind, fields = "precision", {}
    if isinstance(layer, ChannelGatedConv2d):
        norm = layer.gate_bn
        theta = theta * np.sqrt(_numbers(norm.running_var) + norm.eps) + _numbers(norm.running_mean)
        fields = {"count": layer.base_count, "starts": layer.base_starts}
        kind = "both" if isinstance(layer, PrecisionGatedConv2d) else "channel"
    if isinstance(layer, PrecisionGatedConv2d):
        fields["high_bits"] = layer.high_bits
    gain, shift = _affine(layer.bn_base, bias)
    attrs["gate"] = Gate(kind, theta - bias, gain, shift, **fields)
    attrs["gain"], attrs["shift"] = _affine(layer.bn_full, bias)
    before = []
    if getattr(layer, "quantize_input", False):
        before.append(describe(layer.activation))
    if getattr(layer, "shuffle_groups", 1) > 1:
        before.append(Leaf("shuffle", {"groups": layer.shuffle_groups}))
    return [*before, Leaf("conv", attrs)]
