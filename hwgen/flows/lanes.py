"""One line of progress for work that goes on side by side."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Lanes"]


class Lanes:
    """What each of several pieces of work is at, told together whenever one of them goes on.

    Parameters
    ----------
    progress
        Called with the stages of all that are at work, as ``Yosys: abc9 (area) + nextpnr: routing
        (clock)``.
    """

    def __init__(self, progress: Callable[[str], None]):
        self._progress = progress
        self._stages: dict[str, str] = {}
        self._lock = threading.Lock()

    @contextmanager
    def of(self, work: str) -> Iterator[Callable[[str], None]]:
        """Within this context that work goes on; gives the function that it calls with a stage."""

        def said(stage: str) -> None:
            with self._lock:
                self._stages[work] = f"{stage} ({work})"
                self._tell()

        try:
            yield said
        finally:
            with self._lock:
                self._stages.pop(work, None)
                self._tell()

    def _tell(self) -> None:
        if self._stages:
            self._progress(" + ".join(self._stages[work] for work in sorted(self._stages)))
