"""Child processes that end with us."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import contextmanager

__all__ = ["ending_as_if_interrupted", "run"]


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(command: Sequence, **options) -> subprocess.CompletedProcess:
    """Run ``command`` to its end and keep what it says, as text.

    It gets a process group of its own: whatever interrupts the wait ends it and all that it has
    started, even if only we have been told.
    """
    # A signal must not come between the start of the process and our knowing of it.
    with _deferred() as deliver:
        with subprocess.Popen(
            command,
            process_group=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        ) as process:
            try:
                deliver()
                output, errors = process.communicate()
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


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
