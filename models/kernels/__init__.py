"""Inference kernels that leave out what the gates leave out."""

from models.kernels.skipping import SkippingConv2d, skip

__all__ = ["SkippingConv2d", "skip"]
