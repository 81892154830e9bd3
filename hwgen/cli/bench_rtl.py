"""``hwgen bench-rtl``: what the generated hardware reaches, measured on its Verilog."""

import json
from pathlib import Path

import click

from hwgen.cli._options import json_option, set_option
from hwgen.errors import UserError

__all__ = ["command"]


@click.command("bench-rtl")
@click.argument("config", default="cgnet8")
@set_option
@click.option(
    "--masks",
    type=click.Path(path_type=Path),
    help="An .npz of gate decisions, arrays (image, channel, row, column); random ones without it.",
)
@click.option(
    "--images",
    type=click.IntRange(2),
    default=16,
    show_default=True,
    help="Images of each array.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Images computed together.",
)
@click.option("--latency", default=20, show_default=True, help="Memory: cycles to the first beat.")
@click.option("--bandwidth", default=1.0, show_default=True, help="Memory: beats a cycle.")
@json_option
def command(config, settings, masks, images, batch, latency, bandwidth, as_json):
    """Measure CONFIG: generation, a dense layer, and gated layers with given decisions.

    Every run is compared with the integers of its program. `whole` counts all cycles from the start
    of the program to its end, first loads and last stores included; `steady` is the cost of further
    images.
    """
    from hwgen.bench.rtl import dense, gated, generation
    from hwgen.config import load
    from hwgen.simulator.rtl import MemoryModel

    chosen = load(config, settings)
    model = MemoryModel(latency, bandwidth)
    facts = {"config": chosen.name, "generation": generation(chosen)}
    facts["dense"] = dense(chosen, model)
    if chosen.array.gated:
        layers = _decisions(masks, images)
        facts["batch"] = batch
        facts["gated"] = [gated(chosen, name, m, model, batch) for name, m in layers]
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        _print(facts)


def _decisions(path, images):
    """(name, decisions) of each layer."""
    import numpy as np

    if path is None:
        rng = np.random.default_rng(0)
        for channels, size in ((64, 16), (128, 8)):
            yield f"random {channels}", rng.random((images, channels, size, size)) < 0.2
        return
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                yield name, file[name][:images].astype(bool)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: must be an .npz file of decisions ({error})") from None


def _print(facts: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    made, dense = facts["generation"], facts["dense"]
    console = Console()
    console.print(
        f"{facts['config']}: {made['lines']:,} lines of Verilog in {made['seconds']:.1f} s, "
        f"{made['megabytes']:.0f} MB"
    )
    console.print(
        f"dense 3x3, 64 to 64 channels, 14x14: {dense['steady']:.1%} of the MACs in steady state, "
        f"{dense['whole']:.1%} of {dense['images']} images as a whole"
    )
    if "gated" not in facts:
        return
    table = Table(
        title="gated 3x3 layers, base 1/8: part of the ideal reduction in cycles, "
        f"{facts['batch']} images together"
    )
    for column in ("layer", "shape", "density", "cycles", "whole", "steady", "waits for"):
        table.add_column(column, justify="left" if column in ("layer", "waits for") else "right")
    for row in facts["gated"]:
        table.add_row(
            row["name"],
            "x".join(map(str, row["shape"])),
            f"{row['density']:.3f}",
            f"{row['cycles']:,}",
            f"{row['whole']:.3f}",
            f"{row['steady']:.3f}",
            ", ".join(f"{k} {v:.1%}" for k, v in row["waits"].items()),
        )
    rows = facts["gated"]
    for name in ("whole", "steady"):
        mean = sum(r[name] for r in rows) / len(rows)
        table.caption = f"{table.caption or ''} mean {name} {mean:.3f}"
    console.print(table)
