"""The integer reference: what every bench, simulator and compiler of this project is compared with.

``run(network, images)`` computes a network file exactly as the contract says, on numpy alone. See
``docs/network-file.md`` for the arithmetic.
"""

from . import literal
from .engine import Result, prepare, run
from .work import LayerWork, work

__all__ = ["LayerWork", "Result", "literal", "prepare", "run", "work"]
