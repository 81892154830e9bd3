"""What was found, for programs and for people."""

from collections.abc import Mapping, Sequence

from models.netfile import Network

from .meter import Measured
from .space import Space

__all__ = ["as_dict", "described", "tables"]

Alone = Mapping[str, Sequence[Measured]]


def as_dict(
    space: Space, alone: Alone, before: Measured, best: Sequence[Measured], chosen: Measured
) -> dict:
    """The result of a search, for JSON."""
    return {
        "network": space.network.name,
        "before": _entry(space, before),
        "chosen": _entry(space, chosen),
        "front": [_entry(space, one) for one in best],
        "alone": {
            name: {
                str(mode): _values(one)
                for mode, one in zip(space.options[name], measured, strict=True)
            }
            for name, measured in alone.items()
        },
    }


def _values(one: Measured) -> dict:
    return {
        "accuracy": one.accuracy,
        "loss": one.loss,
        "cycles": one.cycles,
        "microjoules": one.microjoules,
    }


def _entry(space: Space, one: Measured) -> dict:
    return {"widths": space.table(one.widths)} | _values(one)


def described(network: Network, widths: Mapping[str, str], images: int, accuracy: float) -> Network:
    """The chosen network, saying of itself what it is instead of what its origin was."""
    info = {key: value for key, value in network.graph.info.items() if not key.startswith("test_")}
    info["tuned"] = ", ".join(f"{name} {mode}" for name, mode in widths.items())
    info["tuned_accuracy"], info["tuned_images"] = accuracy, images
    graph = network.graph.model_copy(update={"info": info})
    return Network(graph, network.tensors)


def tables(
    space: Space, alone: Alone, before: Measured, best: Sequence[Measured], chosen: Measured
) -> list:
    """Tables for a ``rich`` console: each layer alone, then the front."""
    from rich.table import Table

    single = Table(title="one layer narrowed: % of images lost / % of cycles saved")
    single.add_column("layer", no_wrap=True)
    modes = list(dict.fromkeys(mode for options in space.options.values() for mode in options))
    modes.sort(reverse=True)
    for mode in modes:
        single.add_column(str(mode), justify="right")
    for name, measured in alone.items():
        cells = dict.fromkeys(modes, "")
        for mode, one in zip(space.options[name], measured, strict=True):
            lost, saved = before.accuracy - one.accuracy, 1 - one.cycles / before.cycles
            cells[mode] = f"{100 * lost:+.1f}/{100 * saved:.0f}"
        single.add_row(name, *cells.values())
    together = Table(title="front")
    for column in ("%", "loss", "cycles", "µJ", *space.options):
        together.add_column(column, justify="right", overflow="fold")
    for one in best:
        row = [f"{100 * one.accuracy:.2f}", f"{one.loss:.3f}", f"{one.cycles:,.0f}"]
        row += [f"{one.microjoules:.2f}", *map(str, one.widths)]
        together.add_row(*row, style="bold" if one.widths == chosen.widths else None)
    return [single, together]
