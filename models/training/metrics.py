"""Numbers of a run as they come: a line of JSON each, and TensorBoard's files."""

import json
from pathlib import Path

__all__ = ["Metrics"]


class Metrics:
    """Appends to ``metrics.jsonl`` and to TensorBoard event files in ``folder``.

    What an interrupted run wrote after step ``resume_at``, its last checkpoint, is dropped: the run
    comes by there again.
    """

    def __init__(self, folder: Path, resume_at: int = 0):
        from torch.utils.tensorboard import SummaryWriter

        self._path = folder / "metrics.jsonl"
        kept = [line for line in self._lines() if line["step"] <= resume_at] if resume_at else []
        self._path.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self._file = self._path.open("a")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=resume_at + 1)

    def _lines(self):
        for text in self._path.read_text().splitlines() if self._path.is_file() else ():
            try:
                yield json.loads(text)
            except json.JSONDecodeError:
                return  # A kill in the middle of a line.

    def add(self, step: int, **values: float) -> None:
        """Note ``values`` for ``step``."""
        self._file.write(json.dumps({"step": step} | values) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Finish both files."""
        self._file.close()
        self._board.close()
