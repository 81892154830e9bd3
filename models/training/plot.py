"""The curve of a run as a picture: ``python -m models.training.plot RUN OUT.png``."""

import json
import sys
from pathlib import Path

from hwgen.errors import UserError

__all__ = ["plot"]

COLOURS = {"twin": "tab:blue", "gated": "tab:orange"}


def plot(run: Path, out: Path) -> None:
    """Draw loss, accuracy and reduction of the run in ``run``, and of its twin, over the steps."""
    from matplotlib.figure import Figure

    names = {"twin": run / "twin", "gated": run}
    lines = {name: _lines(folder) for name, folder in names.items() if folder.is_dir()}
    if not lines.get("gated"):
        raise UserError(f"{run}/metrics.jsonl: no such file, or nothing in it")
    figure = Figure(figsize=(10, 3), layout="constrained")
    for axis, (field, title) in zip(
        figure.subplots(1, 3),
        (
            ("loss", "loss, while training"),
            ("accuracy", "accuracy (%) after each epoch"),
            ("reduction", "times fewer products in gated layers"),
        ),
        strict=True,
    ):
        for name, rows in lines.items():
            points = [(row["step"], row[field]) for row in rows if field in row]
            if points:
                steps, values = zip(*points, strict=True)
                scale = 100 if field == "accuracy" else 1
                mark = "" if field == "loss" else "."
                drawn = {"marker": mark, "label": name, "color": COLOURS[name]}
                axis.plot(steps, [scale * value for value in values], **drawn)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    figure.axes[0].legend()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=90)


def _lines(folder: Path) -> list[dict]:
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


if __name__ == "__main__":
    try:
        plot(*map(Path, sys.argv[1:]))
    except (TypeError, UserError) as error:
        sys.exit(f"python -m models.training.plot RUN OUT.png: {error}")
