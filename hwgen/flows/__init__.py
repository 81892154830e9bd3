"""Flows through open tools: how large and how fast a configuration is, on FPGAs and in
standard cells."""

from .compare import Comparison
from .parts import part_named
from .synthesis import Aim, Libraries, Report, synthesize
from .targets import TARGETS, Target, target_named

__all__ = [
    "TARGETS",
    "Aim",
    "Comparison",
    "Libraries",
    "Report",
    "Target",
    "part_named",
    "synthesize",
    "target_named",
]
