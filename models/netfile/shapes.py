"""The output shape that each kind of layer makes of its input shapes."""

import math

__all__ = ["output_shape", "window_shape"]


def window_shape(shape, kernel, stride, padding) -> tuple[int, int]:
    """Rows and columns of windows of ``kernel`` over (channels, height, width); ValueError if none
    fits.
    """
    top, bottom, left, right = padding
    spans = (shape[1] + top + bottom - kernel[0], shape[2] + left + right - kernel[1])
    if min(spans) < 0:
        raise ValueError(f"kernel {kernel} does not fit into {tuple(shape)} with padding {padding}")
    return spans[0] // stride[0] + 1, spans[1] // stride[1] + 1


def output_shape(layer, shapes) -> tuple[int, int, int]:
    """Shape of ``layer`` given the shapes of its inputs; ValueError says what does not fit."""
    first = shapes[0] if shapes else None
    if layer.kind == "input":
        return layer.output.shape
    if layer.kind == "conv":
        if first[0] != layer.in_channels:
            raise ValueError(f"in_channels is {layer.in_channels}, its input has {first[0]}")
        if layer.in_channels % layer.groups or layer.out_channels % layer.groups:
            raise ValueError(f"{layer.groups} groups do not divide its channels")
        shape = (
            layer.out_channels,
            *window_shape(first, layer.kernel, layer.stride, layer.padding),
        )
        return _same(shape, shapes[1:])
    if layer.kind == "linear":
        if math.prod(first) != layer.in_features:
            raise ValueError(f"in_features is {layer.in_features}, its input has {first}")
        return (layer.out_features, 1, 1)
    if layer.kind == "add":
        return _same(first, shapes[1:])
    if layer.kind in ("maxpool", "avgpool"):
        top, bottom, left, right = layer.padding
        if max(top, bottom) >= layer.kernel[0] or max(left, right) >= layer.kernel[1]:
            raise ValueError(f"padding {layer.padding} reaches the kernel {layer.kernel}")
        return (first[0], *window_shape(first, layer.kernel, layer.stride, layer.padding))
    if layer.kind == "global_avgpool":
        return (first[0], 1, 1)
    if layer.kind == "shuffle":
        if first[0] % layer.groups:
            raise ValueError(f"{layer.groups} groups do not divide {first[0]} channels")
        return first
    if layer.kind == "concat":
        if any(shape[1:] != first[1:] for shape in shapes):
            raise ValueError(f"its inputs differ in height or width: {shapes}")
        return (sum(shape[0] for shape in shapes), *first[1:])
    if layer.kind == "split":
        channels = layer.output.shape[0]
        if layer.start + channels > first[0]:
            raise ValueError(
                f"channels {layer.start} to {layer.start + channels - 1} of {first[0]}"
            )
        return (channels, *first[1:])
    if layer.kind == "flatten":
        return (math.prod(first), 1, 1)
    return first


def _same(shape, others):
    for other in others:
        if tuple(other) != tuple(shape):
            raise ValueError(f"cannot add {tuple(other)} to {tuple(shape)}")
    return tuple(shape)
