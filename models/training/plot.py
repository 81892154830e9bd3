"""The curve of a run as a picture: ``python -m models.training.plot RUN OUT.png``."""

import json
import sys
from pathlib import Path

from hwgen.errors import UserError

__all__ = ["curves", "plot"]


def plot(run: Path, out: Path) -> None:
    """Write the :func:`curves` of the run in ``run`` to the picture ``out``."""
    figure = curves(run)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=90)


def curves(run: Path):
    """A figure of the run in ``run`` and of its twin over the steps: loss, accuracy and, of a gated
    network, reduction.

    The loss is drawn without what the gates are punished by, so that it can be compared with the
    twin's; where a run has not recorded that penalty, only the loss on held-out images is drawn.
    """
    from matplotlib.figure import Figure

    found = {name: _lines(folder) for name, folder in (("twin", run / "twin"), ("run", run))}
    if not found["run"]:
        raise UserError(f"{run}/metrics.jsonl: no such file, or nothing in it")
    gated = any("reduction" in row for row in found["run"])
    panels = ["loss without penalty; dashed: held out", "accuracy (%), held out"]
    panels += ["times fewer products in gated layers"] if gated else []
    figure = Figure(figsize=(10 / 3 * len(panels), 3), layout="constrained")
    axes = figure.subplots(1, len(panels), sharex=True)
    for axis, title in zip(axes, panels, strict=True):
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    for (name, rows), colour in zip(found.items(), ("tab:blue", "tab:orange"), strict=True):
        if not rows:
            continue
        label = "gated" if name == "run" and gated else name
        punished = name == "run" and gated
        trained = [
            (row["step"], row["loss"] - row.get("penalty", 0))
            for row in rows
            if "penalty" in row or not punished
        ]
        tested = {
            field: [(row["step"], row[field]) for row in rows if field in row]
            for field in ("test_loss", "accuracy", "reduction")
        }
        _draw(axes[0], trained, color=colour, label=label)
        dashed = {"linestyle": "--", "label": None if trained else label}
        _draw(axes[0], tested["test_loss"], color=colour, marker=".", **dashed)
        percent = [(step, 100 * accuracy) for step, accuracy in tested["accuracy"]]
        _draw(axes[1], percent, color=colour, marker=".")
        if gated:
            _draw(axes[2], tested["reduction"], color=colour, marker=".")
    axes[0].legend()
    return figure


def _draw(axis, points: list[tuple[int, float]], **style) -> None:
    if points:
        axis.plot(*zip(*points, strict=True), **style)


def _lines(folder: Path) -> list[dict]:
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


if __name__ == "__main__":
    try:
        plot(*map(Path, sys.argv[1:]))
    except (TypeError, UserError) as error:
        sys.exit(f"python -m models.training.plot RUN OUT.png: {error}")
