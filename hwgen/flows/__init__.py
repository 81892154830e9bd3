"""Flows through open tools: how large a configuration is, on FPGAs and in standard cells."""

from .compare import Comparison
from .synthesis import Libraries, Report, synthesize
from .targets import TARGETS, Target, target_named

__all__ = [
    "TARGETS",
    "Comparison",
    "Libraries",
    "Report",
    "Target",
    "synthesize",
    "target_named",
]
