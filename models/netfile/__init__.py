"""The integer network file: what the exporter writes and the compiler, the reference and the
benches read.

Needs numpy, pydantic and safetensors, never torch. ``load(path)`` gives a :class:`Network`; see
``docs/network-file.md`` for the format and the arithmetic it stands for.
"""

from .bounds import Range, accumulator_range, prove_bounds, sum_range
from .builder import Builder
from .check import check
from .file import VERSION, json_schema, load, network_bytes, save
from .layers import (
    Add,
    AvgPool,
    ChannelGate,
    Concat,
    Conv,
    Edge,
    Flatten,
    GlobalAvgPool,
    Graph,
    Input,
    Limits,
    Linear,
    MaxPool,
    Output,
    Parameters,
    PrecisionGate,
    Shuffle,
    Split,
)
from .network import Network, Requantizer
from .rounding import clamp, requantize, round_half_up, shift_right_half_up
from .shapes import output_shape

__all__ = [
    "VERSION",
    "Add",
    "AvgPool",
    "Builder",
    "ChannelGate",
    "Concat",
    "Conv",
    "Edge",
    "Flatten",
    "GlobalAvgPool",
    "Graph",
    "Input",
    "Limits",
    "Linear",
    "MaxPool",
    "Network",
    "Output",
    "Parameters",
    "PrecisionGate",
    "Range",
    "Requantizer",
    "Shuffle",
    "Split",
    "accumulator_range",
    "check",
    "clamp",
    "json_schema",
    "load",
    "network_bytes",
    "output_shape",
    "prove_bounds",
    "requantize",
    "round_half_up",
    "save",
    "shift_right_half_up",
    "sum_range",
]
