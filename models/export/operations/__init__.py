"""What tracing understands, one function for each operation of ATen."""

from . import elementwise, pooling, structure, weighted
from .context import BATCH, OPERATIONS, Context, Refused

__all__ = [
    "BATCH",
    "OPERATIONS",
    "Context",
    "Refused",
    "elementwise",
    "pooling",
    "structure",
    "weighted",
]
