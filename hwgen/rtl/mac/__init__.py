"""Dot product units: the only part of an engine that knows how numbers are multiplied."""

from ...config import Config
from .base import Mac
from .bitbrick import BitBrickMac
from .mode import Mode, Placement
from .parallel import ParallelMac
from .serial import SerialMac
from .subword import SubwordMac
from .trimmer import PlaneTrimmer
from .xnor import XnorMac

__all__ = [
    "KINDS",
    "BitBrickMac",
    "Mac",
    "Mode",
    "ParallelMac",
    "Placement",
    "PlaneTrimmer",
    "SerialMac",
    "SubwordMac",
    "XnorMac",
    "create",
]

KINDS = {"parallel": ParallelMac, "serial": SerialMac}
"""The unit for each value of ``array.mac``; a new one is a subclass of Mac and a line here."""


def create(config: Config) -> Mac:
    """The unit that the configuration asks for."""
    return KINDS[config.array.mac](lanes=config.array.lanes)
