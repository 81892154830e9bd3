"""Where tables and sentences for people go."""

from rich.console import Console

__all__ = ["FILE_WIDTH", "output"]

FILE_WIDTH = 160
"""Columns of a file or a pipe, which have no width that a table must be squeezed into."""


def output() -> Console:
    """Standard output: as wide as the terminal, or as tables need."""
    console = Console()
    return console if console.is_terminal else Console(width=FILE_WIDTH)
