"""From an Amaranth component to one Verilog file that a person can read and a tool likes."""

from .emit import Emitted, build, emit
from .equivalence import Equivalence, NotEquivalent, check_equivalence

__all__ = ["Emitted", "Equivalence", "NotEquivalent", "build", "check_equivalence", "emit"]
