"""Binding memories to SRAM macros: how many of which, and when flip-flops are smaller."""

import math
from dataclasses import dataclass

from hwgen.flows.liberty import SramMacro
from hwgen.memory import MemoryUse

__all__ = ["Tiling", "smallest_tiling"]


@dataclass(frozen=True)
class Tiling:
    """A memory made of ``rows`` times ``columns`` macros of one kind."""

    macro: SramMacro
    rows: int
    columns: int

    @property
    def area(self) -> float:
        """Of the macros; the multiplexer between rows is not counted."""
        return self.macro.area * self.rows * self.columns

    def __str__(self) -> str:
        macro = self.macro
        return f"{self.rows * self.columns} x {macro.words}x{macro.bits}"


def smallest_tiling(use: MemoryUse, macros: tuple[SramMacro, ...]) -> Tiling | None:
    """The tiling with the least area, or None if no macro can be this memory.

    A memory has a write and a read port that work in the same cycle, so macros of one port cannot
    serve; nor can any macro serve a memory that is read asynchronously.
    """
    if use.asynchronous:
        return None
    tilings = [
        Tiling(macro, math.ceil(use.depth / macro.words), math.ceil(use.width / macro.bits))
        for macro in macros
        if macro.two_ports
    ]
    return min(tilings, key=lambda tiling: (tiling.area, tiling.macro), default=None)
