"""Child processes that end with us."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress

__all__ = ["ending_as_if_interrupted", "run", "started", "together"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_ours = threading.local()
"""``crew``: of a thread of :func:`together`, the processes that it and the others have started."""


def run(
    command: Sequence, *, timeout: float | None = None, **options
) -> subprocess.CompletedProcess:
    """Run ``command`` to its end and keep what it says, as text.

    Raises
    ------
    subprocess.TimeoutExpired
        After ``timeout`` seconds; nothing of it runs on.
    """
    with started(command, **{"stderr": subprocess.PIPE, **options}) as process:
        output, errors = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


@contextmanager
def started(command: Sequence, **options) -> Iterator[subprocess.Popen]:
    """A process whose output is read as text; at the end of the context it has ended.

    It gets a process group of its own: whatever interrupts the context ends it and all that it has
    started, even if only we have been told. So does the failure of another thread of
    :func:`together`.
    """
    crew = getattr(_ours, "crew", None) or _Crew()
    # A signal must not come between the start of the process and our knowing of it.
    with _deferred() as deliver:
        with subprocess.Popen(
            command,
            process_group=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        ) as process:
            try:
                deliver()
                with crew.holding(process):
                    yield process
            except BaseException:
                _kill(process)
                raise


def together(*tasks: Callable) -> list:
    """Call functions side by side; a list of what they return.

    Each has a thread of its own. When one of them raises an exception, or this thread gets one
    (Ctrl-C), all processes that the others have :func:`started` end, and the others with them. The
    exception is raised when they have cleaned up; what theirs say is not told.
    """
    crew = _Crew()

    def work(task: Callable):
        _ours.crew = crew
        return task()

    with ThreadPoolExecutor(len(tasks)) as threads:
        try:
            works = [threads.submit(work, task) for task in tasks]
            for done in as_completed(works):
                done.result()
        except BaseException:
            crew.end()
            raise
        return [done.result() for done in works]


class _Crew:
    """Processes that end together."""

    def __init__(self):
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen] = set()
        self._ended = False

    @contextmanager
    def holding(self, process: subprocess.Popen) -> Iterator[None]:
        """Within this context the process is one of them."""
        with self._lock:
            if self._ended:
                raise RuntimeError("what goes on beside this has failed")
            self._processes.add(process)
        try:
            yield
        finally:
            with self._lock:
                self._processes.remove(process)

    def end(self) -> None:
        """End those that are at work, and whatever would join them."""
        with self._lock:
            self._ended = True
            for process in self._processes:
                _kill(process)


def _kill(process: subprocess.Popen) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _deferred():
    """Within this context signals to end are only remembered, until the function that it gives is
    called: from then on, and for those that have come, their handlers are called as before.
    """
    came: list[int] = []
    before = {}

    def deliver():
        while before:
            number, handler = before.popitem()
            signal.signal(number, handler)
        while came:
            signal.raise_signal(came.pop())

    try:
        for number in SIGNALS:
            if callable(signal.getsignal(number)):
                before[number] = signal.signal(number, lambda number, _frame: came.append(number))
    except ValueError:  # not in the main thread, which alone receives signals
        pass
    try:
        yield deliver
    finally:
        deliver()


@contextmanager
def ending_as_if_interrupted():
    """Within this context a request to end (SIGTERM, or the terminal is closed) cleans up as Ctrl-C
    does: as an exception, here SystemExit.
    """

    def end(number, _frame):
        raise SystemExit(128 + number)

    before = {}
    try:
        for number in SIGNALS[1:]:
            # Who started us may have chosen to ignore it (nohup).
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, end)
    except ValueError:  # not in the main thread, which alone receives signals
        pass
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
