"""Work that goes on side by side: what one of them meets is met by all."""

import sys
import threading

import pytest

from hwgen.processes import started, together

FOR_EVER = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(3600)"]


def test_results_in_order():
    met = threading.Barrier(3)  # nobody waits for another to end

    def task(number: int) -> int:
        met.wait(60)
        return number

    assert together(*(lambda n=n: task(n) for n in range(3))) == [0, 1, 2]


def test_a_failure_ends_the_others():
    """Their processes, what they would start after that, and only then is it told: once."""
    at_work = threading.Event()
    met, ended = [], []

    def fails():
        assert at_work.wait(60)
        raise ValueError("the first to fail")

    def waits():
        with started(FOR_EVER) as process:
            assert process.stdout.readline() == "here\n"
            at_work.set()
            met.append(process.stdout.read())  # until it is killed
        ended.append(process.returncode)
        with started(FOR_EVER):
            met.append("a process that nobody ends")

    with pytest.raises(ValueError, match="the first to fail") as error:
        together(waits, fails)
    assert met == [""] and ended == [-9]
    assert error.value.__context__ is None

    def comes_later() -> str:
        with started(FOR_EVER) as process:
            said = process.stdout.readline()
            process.kill()
        return said

    assert together(comes_later) == ["here\n"]
