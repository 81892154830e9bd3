"""How the memories of a group are built."""

from ...config import Config

__all__ = ["storage_style"]

SHALLOW = 16
"""Memories with fewer rows are never worth a block RAM or a macro …"""

DEEP = 64
"""… those with this many always are, …"""

NARROW = 36
"""… and those between if they fit into the width of one block RAM: it is the same at any depth."""


def storage_style(config: Config, depth: int, width: int) -> str:
    """Style of a synchronously read :class:`hwgen.memory.RAM`."""
    if config.memory.style == "macro":
        return "macro" if depth >= SHALLOW else "distributed"
    if depth >= DEEP or (depth >= SHALLOW and width <= NARROW):
        return "block"
    return "distributed"
