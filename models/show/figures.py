"""The figures of the page, with matplotlib; each function draws one."""

import numpy as np
from matplotlib.figure import Figure

from models.show.choices import Choices, Sample

__all__ = ["correlations", "densities", "efforts", "heat_maps"]

MOST_LAYERS = 8
FIRED, QUIET = "#b5423a", "#5b7fa6"


def _some_layers(choices: Choices) -> list[str]:
    """At most ``MOST_LAYERS`` layers, evenly from the first to the last."""
    names = list(choices.works)
    if len(names) <= MOST_LAYERS:
        return names
    picks = np.linspace(0, len(names) - 1, MOST_LAYERS).round().astype(int)
    return [names[i] for i in picks]


def heat_maps(choices: Choices) -> Figure:
    """A row for each shown image: the image, then the part of channels that fired, by layer."""
    layers = _some_layers(choices)
    rows = [("easy", s) for s in choices.easy] + [("hard", s) for s in choices.hard]
    figure = Figure(
        figsize=(1.5 * (len(layers) + 1) + 1.9, 1.5 * len(rows) + 0.9), layout="constrained"
    )
    axes = figure.subplots(len(rows), len(layers) + 1, squeeze=False)
    # One scale for all rows of a layer, so that easy and hard can be compared by eye.
    top = {n: max(max(s.maps[n].max() for _, s in rows), 1e-6) for n in layers}
    for line, (kind, sample) in zip(axes, rows, strict=True):
        _draw_image(line[0], choices, kind, sample)
        for axis, name in zip(line[1:], layers, strict=True):
            _draw_map(axis, sample, name, top[name])
    for axis, name in zip(axes[0, 1:], layers, strict=True):
        axis.set_title(f"{name}\nbrightest = {top[name]:.0%} of channels", fontsize=8)
    axes[0, 0].set_title("image", fontsize=8)
    return figure


def _draw_image(axis, choices: Choices, kind: str, sample: Sample) -> None:
    axis.imshow(sample.image.squeeze(), cmap="gray", vmin=0, vmax=255)
    axis.set_xticks([])
    axis.set_yticks([])
    truth, answer = choices.classes[sample.label], choices.classes[sample.answer]
    verdict = truth if truth == answer else f"{truth},\nsaid {answer}"
    axis.set_ylabel(
        f"{kind}, {sample.reduction:.1f}×\n{verdict}",
        fontsize=8,
        rotation=0,
        ha="right",
        va="center",
    )


def _draw_map(axis, sample: Sample, name: str, top: float) -> None:
    height, width = sample.image.shape[:2]
    ground = sample.image.mean(axis=2)
    axis.imshow(ground, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
    axis.imshow(
        sample.maps[name],
        cmap="inferno",
        vmin=0,
        vmax=top,
        alpha=0.65,
        extent=(0, width, height, 0),
        interpolation="nearest",
    )
    axis.set_axis_off()


def densities(choices: Choices) -> Figure:
    """Density of each layer, and of its channels from the densest to the sparsest."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    names = list(choices.works)
    values = [choices.works[name].density for name in names]
    left.barh(range(len(names)), values, color=FIRED)
    left.set_yticks(range(len(names)), names, fontsize=8)
    left.invert_yaxis()
    left.set_xlabel("part of the outputs that fired")
    left.set_title("density by layer", fontsize=10)
    left.bar_label(left.containers[0], fmt="%.3f", fontsize=7, padding=2)
    left.margins(x=0.15)
    for name in _some_layers(choices):
        work = choices.works[name]
        channels = work.fired_by_channel.double() * len(work.fired_by_channel) / work.outputs
        ordered = channels.sort(descending=True).values
        right.plot(np.linspace(0, 1, len(ordered)), ordered, label=name, linewidth=1.2)
    right.set_xlabel("channels, densest first")
    right.set_ylabel("density")
    right.set_ylim(bottom=0)
    right.set_title("density by channel", fontsize=10)
    right.legend(fontsize=7)
    return figure


def efforts(choices: Choices) -> Figure:
    """How much less work images took: all of them, those answered right and wrong, and by class."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    low, high = choices.reductions.min(), choices.reductions.max()
    bins = np.linspace(low, max(high, low + 0.01), 40)  # Gates that never fire make them equal.
    for chosen, label, colour in (
        (choices.right, "right", QUIET),
        (~choices.right, "wrong", FIRED),
    ):
        if not chosen.any():
            continue
        left.hist(
            choices.reductions[chosen], bins, density=True, alpha=0.6, label=label, color=colour
        )
    left.set_xlabel("times fewer products in gated layers")
    left.set_ylabel("part of the images, scaled")
    left.set_title("work by image", fontsize=10)
    left.legend(fontsize=8)
    labels = range(len(choices.classes))
    groups = [choices.reductions[choices.labels == label] for label in labels]
    filled = [(n, g) for n, g in zip(choices.classes, groups, strict=True) if len(g)]
    if len(filled) <= 20:
        right.boxplot(
            [group for _, group in filled],
            tick_labels=[name for name, _ in filled],
            orientation="horizontal",
            showfliers=False,
        )
        right.tick_params(axis="y", labelsize=8)
        right.invert_yaxis()
    else:
        right.hist([group.mean() for _, group in filled], 40, color=QUIET)
    right.set_xlabel("times fewer products in gated layers")
    right.set_title("work by class", fontsize=10)
    return figure


def correlations(choices: Choices) -> Figure:
    """Base against full results of outputs of the shown images, and their correlation."""
    layers = _some_layers(choices)
    columns = min(4, len(layers))
    rows = -(-len(layers) // columns)
    figure = Figure(figsize=(2.7 * columns, 2.7 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis, name in zip(axes, layers, strict=False):
        base, full = choices.pairs[name]
        axis.scatter(base, full, s=2, alpha=0.25, color=QUIET, linewidths=0, rasterized=True)
        axis.set_title(f"{name}: r = {choices.works[name].correlation:.2f}", fontsize=9)
        axis.set_xlabel("base", fontsize=8)
        axis.set_ylabel("full", fontsize=8)
        axis.tick_params(labelsize=7)
    for axis in axes[len(layers) :]:
        axis.set_axis_off()
    return figure
