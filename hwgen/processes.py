"""Child processes that end with us."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

__all__ = ["ending_as_if_interrupted", "run", "started"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
    started, even if only we have been told.
    """
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
                yield process
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise


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
