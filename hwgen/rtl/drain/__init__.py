"""From finished sums to activations: one drain a cluster."""

from .drain import Drain
from .requantizer import Requantizer

__all__ = ["Drain", "Requantizer"]
