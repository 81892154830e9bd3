"""The measured choices as a picture."""

import io
from collections.abc import Sequence

from .meter import Measured

__all__ = ["pareto_png"]

UNITS = {"cycles": "cycles an image", "microjoules": "µJ an image, without clock and leakage"}


def pareto_png(
    measured: Sequence[Measured],
    best: Sequence[Measured],
    chosen: Measured,
    cost: str,
    title: str,
) -> bytes:
    """Accuracy over ``cost`` of all, the front ``best`` as a line, ``chosen`` marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axis = figure.subplots()

    def points(some):
        return [getattr(m, cost) for m in some], [100 * m.accuracy for m in some]

    axis.scatter(*points(measured), s=14, color="tab:gray", alpha=0.5, label="measured")
    axis.plot(*points(best), color="tab:blue", marker="o", markersize=4, label="front")
    axis.scatter(*points([chosen]), s=90, marker="*", color="tab:red", zorder=3, label="chosen")
    axis.set_xlabel(UNITS[cost])
    axis.set_ylabel("right classes (%), not fine-tuned")
    axis.set_title(title, fontsize=10)
    axis.grid(alpha=0.3)
    axis.legend()
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100, metadata={"Software": None})
    return picture.getvalue()
