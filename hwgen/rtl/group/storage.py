"""How the memories of a group are built."""

from ...config import Config

__all__ = ["storage_style"]

SHALLOW = 16
"""Memories with fewer rows waste a block RAM or a macro."""


def storage_style(config: Config, depth: int) -> str:
    """Style of a synchronously read :class:`hwgen.memory.RAM` of so many rows."""
    if depth < SHALLOW:
        return "distributed"
    return "macro" if config.memory.style == "macro" else "block"
