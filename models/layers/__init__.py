"""Layers that decide how much to compute, and the conversions of plain networks into networks of
them.
"""

from models.layers.convert import GATES, gate, gated_layers, quantize_aware
from models.layers.decision import choose
from models.layers.describe import describe
from models.layers.gated import ChannelGatedConv2d, GatedConv2d, threshold_penalty
from models.layers.precision import (
    ChannelPrecisionGatedConv2d,
    PrecisionGatedConv2d,
    high_part,
)
from models.layers.quantized import QuantConv2d, QuantLinear, QuantReLU, Stored
from models.layers.recording import LayerWork, recording, reduction
from models.layers.shuffle import ChannelShuffle, channel_shuffle
from models.layers.thermometer import Thermometer

__all__ = [
    "GATES",
    "ChannelGatedConv2d",
    "ChannelPrecisionGatedConv2d",
    "ChannelShuffle",
    "GatedConv2d",
    "LayerWork",
    "PrecisionGatedConv2d",
    "QuantConv2d",
    "QuantLinear",
    "QuantReLU",
    "Stored",
    "Thermometer",
    "channel_shuffle",
    "choose",
    "describe",
    "gate",
    "gated_layers",
    "high_part",
    "quantize_aware",
    "recording",
    "reduction",
    "threshold_penalty",
]
