"""Widths for every layer: what fewer bits cost and gain, and a search for the best of both."""

from .log import Log
from .meter import Measured, Meter
from .narrowing import Narrower, families
from .search import front, search, sensitivity
from .space import Space, Widths

__all__ = [
    "Log",
    "Measured",
    "Meter",
    "Narrower",
    "Space",
    "Widths",
    "families",
    "front",
    "search",
    "sensitivity",
]
