"""What a command that takes long tells those who wait for it."""

import sys
import threading
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
        lines = _Lines()
        try:
            yield console, lines.say
        finally:
            lines.end()
        return
    columns = SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=console, transient=True) as display:
        task = display.add_task("…", total=None)
        yield console, lambda step: display.update(task, description=step)


class _Lines:
    """Tells the step on standard error, at most one line in PAUSE seconds: what takes long is told
    while it lasts, and not only when something else follows.
    """

    def __init__(self):
        self._started = self._last = time.monotonic()
        self._step = ""
        self._later: threading.Timer | None = None

    def say(self, step: str) -> None:
        self._step = step
        if self._later is not None:
            return
        pause = self._last + PAUSE - time.monotonic()
        if pause <= 0:
            self._tell()
        else:
            self._later = threading.Timer(pause, self._tell)
            self._later.daemon = True
            self._later.start()

    def end(self) -> None:
        if self._later is not None:
            self._later.cancel()

    def _tell(self) -> None:
        self._later, self._last = None, time.monotonic()
        print(f"{self._last - self._started:.0f} s: {self._step}", file=sys.stderr, flush=True)


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
