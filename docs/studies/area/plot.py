"""The area study as a picture: ``python plot.py area.json OUT.svg``.

Part of the ideal reduction in cycles against what the memories of the gate take more than those of
a dense array of the same shape.
"""

import json
import sys
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("svg")
import matplotlib.pyplot as plt

SHIPPED = "D4 V8 w1"


def main() -> None:
    rows = json.loads(Path(sys.argv[1]).read_text())
    matplotlib.rcParams["svg.hashsalt"] = "area"
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for key, label, colour in (
        ("batch1", "images one by one", "tab:gray"),
        ("batch4", "four images together", "tab:blue"),
    ):
        for name, row in rows.items():
            extra = row["memories"] - row["baseline"]
            reached = np.mean(list(row[key].values()))
            marker = "*" if name == SHIPPED else "o"
            axes.plot(extra, reached, marker, color=colour, markersize=12 if marker == "*" else 6)
            place = {"xytext": (6, -3)}
            if name.endswith("256"):  # hardly anything beside the one with 512 rows
                place = {"xytext": (-6, -12), "ha": "right"}
            axes.annotate(name, (extra, reached), textcoords="offset points", fontsize=8, **place)
        axes.plot([], [], "o", color=colour, label=label)
    axes.set_xlabel("mm² of memories more than without a gate (SG13G2)")
    axes.set_ylabel("part of the ideal reduction in cycles")
    axes.axhline(0.9, color="black", linewidth=0.5, linestyle=":")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(sys.argv[2], metadata={"Date": None})


if __name__ == "__main__":
    main()
