"""What a command that takes long tells those who wait for it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["PAUSE", "bars", "working"]

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


@contextmanager
def bars(tell: Callable[..., str] = lambda *told: "") -> Iterator[Callable[[str], Callable]]:
    """Makes for each title a bar of its own on standard error, and the function that moves it.

    That is called with how much is done, with how much there is, and with whatever ``tell`` makes
    the text behind the bar of; ``tell`` gets what prints a
    line above the bars, the title, how much is done and these.
    """
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    columns += [TimeRemainingColumn(), TextColumn("{task.fields[shown]}")]
    with Progress(*columns, console=Console(stderr=True)) as display:

        def begin(title: str) -> Callable:
            task = display.add_task(title, total=None, shown="")

            def progress(done: int, total: int, *facts) -> None:
                text = tell(display.console.print, title, done, *facts)
                display.update(task, completed=done, total=total, shown=text)

            return progress

        yield begin
