"""Export: from networks on real numbers to integer network files."""

from .emit import Pixels, emit
from .fuse import fuse
from .ir import EdgePlan, FloatGraph, Gate, Op
from .leaves import Describe, Leaf
from .post_training import Quantized, normalized, quantize
from .trace import trace

__all__ = [
    "Describe",
    "EdgePlan",
    "FloatGraph",
    "Gate",
    "Leaf",
    "Op",
    "Pixels",
    "Quantized",
    "emit",
    "fuse",
    "normalized",
    "quantize",
    "trace",
]
