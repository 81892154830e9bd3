"""Waveforms of a window of cycles."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError

__all__ = ["Trace", "traced"]


@dataclass(frozen=True)
class Trace:
    """An FST file of the cycles ``first`` to ``last`` - 1 of a run; None: to its end."""

    path: Path
    first: int = 0
    last: int | None = None

    def __post_init__(self):
        if self.last is not None and self.last <= self.first:
            raise UserError(f"--to: must be above --from ({self.first}), not {self.last}")
        if not os.access(self.path.parent, os.W_OK):
            raise UserError(f"--trace: {self.path.parent} must be a folder that can be written")
        if self.path.is_dir():
            raise UserError(f"--trace: {self.path} must be a file, not a folder")


@contextmanager
def traced(simulator, trace: Trace | None) -> Iterator[None]:
    """Within this context ``simulator`` writes ``trace``; the file appears when all went well.

    Raises
    ------
    UserError
        If the run has ended before the window began.
    """
    if trace is None:
        yield
        return
    unfinished = trace.path.with_name(f".{trace.path.name}.unfinished")
    start = simulator.cycle
    last = 1 << 62 if trace.last is None else start + trace.last
    try:
        simulator.trace(unfinished, start + trace.first, last)
        yield
        cycles = simulator.cycle - start
        simulator.close()
        if cycles <= trace.first:
            raise UserError(f"--from: must be below the {cycles} cycles of the run")
        os.replace(unfinished, trace.path)
    finally:
        simulator.close()
        unfinished.unlink(missing_ok=True)
