"""Dot product units: the only part of an engine that knows how numbers are multiplied."""

from functools import cache

from ...config import Config
from .base import Mac
from .bitbrick import BitBrickMac
from .mode import Mode, Placement
from .parallel import ParallelMac
from .serial import SerialMac
from .subword import SubwordMac
from .trimmer import PlaneCounter, PlaneTrimmer, spare_planes, trim_needs
from .xnor import XnorMac

__all__ = [
    "KINDS",
    "BitBrickMac",
    "Mac",
    "Mode",
    "ParallelMac",
    "Placement",
    "PlaneCounter",
    "PlaneTrimmer",
    "SerialMac",
    "SubwordMac",
    "XnorMac",
    "create",
    "facts",
    "shifts_sums",
    "spare_planes",
    "trim_needs",
]

KINDS = {
    "parallel": ParallelMac,
    "serial": SerialMac,
    "bricks": BitBrickMac,
    "subword": SubwordMac,
    "xnor": XnorMac,
}
"""The unit for each value of ``array.mac``; a new one is a subclass of Mac and a line here."""


def create(config: Config) -> Mac:
    """The unit that the configuration asks for."""
    modes = [Mode.parse(text) for text in config.array.modes] or None
    kind, lanes = KINDS[config.array.mac], config.array.lanes
    if kind is ParallelMac:
        return ParallelMac(lanes=lanes, modes=modes, distant=config.array.deep_pipeline)
    return kind(lanes=lanes, modes=modes)


@cache
def facts(config: Config) -> Mac:
    """A unit to ask what it can do and how its operands lie; not to be elaborated."""
    unit = create(config)
    unit._MustUse__used = True  # so that Amaranth does not miss it in the design
    return unit


def shifts_sums(config: Config) -> bool:
    """Whether dot products can be worth more than one: precision gating in several modes, or bits
    of numbers on units that multiply 1 and -1.
    """
    return config.array.mac == "xnor" or (config.array.gated and len(facts(config).modes) > 1)
