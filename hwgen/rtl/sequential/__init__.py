"""The array that runs one instruction after the other, for the smallest FPGAs."""

from .array import SequentialArray
from .ports import sequential_ports

__all__ = ["SequentialArray", "sequential_ports"]
