"""Export: from networks on real numbers to integer network files."""

from .emit import EdgePlan, Pixels, emit
from .fuse import fuse
from .ir import FloatGraph, Gate, Op
from .post_training import Quantized, normalized, quantize
from .trace import trace

__all__ = [
    "EdgePlan",
    "FloatGraph",
    "Gate",
    "Op",
    "Pixels",
    "Quantized",
    "emit",
    "fuse",
    "normalized",
    "quantize",
    "trace",
]
