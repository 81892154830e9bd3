"""What a command that takes long tells those who wait for it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["PAUSE", "working"]

PAUSE = 20.0
"""Seconds between two lines where lines do not move."""


@contextmanager
def working() -> Iterator[tuple[Console, Callable[[str], None]]]:
    """A console on standard error, and a function that is told each step.

    On a terminal the step moves at the bottom, with the time since the start. Elsewhere, in a log,
    it gets a line now and then, so that one sees that and where the command is at work.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield console, _lines()
        return
    columns = SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=console, transient=True) as display:
        task = display.add_task("…", total=None)
        yield console, lambda step: display.update(task, description=step)


def _lines() -> Callable[[str], None]:
    started = last = time.monotonic()

    def say(step: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PAUSE:
            last = now
            print(f"{now - started:.0f} s: {step}", file=sys.stderr, flush=True)

    return say
