"""The dealing study as a picture: ``python plot.py MASKS.npz OUT.svg``.

Left: part of the ideal reduction in cycles against the engines of a group, for several arrays.
Right: against the density of the masks, thinned by dropping decisions at random or joined with
those of other images.
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("svg")
import matplotlib.pyplot as plt
from study import Machine, evaluate, mean_reached

IMAGES = 4


def with_density(data: dict[str, np.ndarray], factor: float) -> dict[str, np.ndarray]:
    """Masks with ``factor`` times the decisions."""
    rng = np.random.default_rng(0)
    changed = {}
    for name, masks in data.items():
        if factor <= 1:
            changed[name] = masks & (rng.random(masks.shape) < factor)
        else:
            others = np.roll(masks, 7, axis=0) & (rng.random(masks.shape) < factor - 1)
            changed[name] = masks | others
    return changed


def main() -> None:
    with np.load(sys.argv[1], allow_pickle=False) as file:
        data = {name: file[name].astype(bool) for name in file.files}
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    for clusters, engines in ((2, 16), (4, 8), (8, 4)):
        groups = [d for d in (1, 2, 4, 8, 16) if d <= engines]
        reached = [
            mean_reached(evaluate(Machine(clusters, engines, d), data, IMAGES, 1)) for d in groups
        ]
        left.plot(groups, reached, marker="o", label=f"G={clusters}, c={engines}")
    left.set_xscale("log", base=2)
    left.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    left.set_xlabel("D, engines of a group")
    left.set_ylabel("part of the ideal reduction in cycles")
    left.legend()
    factors = (0.25, 0.5, 1, 1.5, 2)
    for group in (1, 2, 4, 8):
        points = []
        for factor in factors:
            masks = with_density(data, factor)
            density = np.mean([m[:IMAGES].mean() for m in masks.values()])
            machine = Machine(4, 8, group)
            points.append((density, mean_reached(evaluate(machine, masks, IMAGES, 1))))
        right.plot(*zip(*points, strict=True), marker="o", label=f"D={group}")
    right.set_xlabel("density of the masks (G=4, c=8)")
    right.legend()
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.axhline(0.9, color="grey", linestyle=":", linewidth=1)
    figure.tight_layout()
    plt.rcParams["svg.hashsalt"] = "hwgen"
    figure.savefig(Path(sys.argv[2]), metadata={"Date": None})


if __name__ == "__main__":
    main()
