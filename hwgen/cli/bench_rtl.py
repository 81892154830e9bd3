"""``hwgen bench-rtl``: what the generated hardware reaches, measured on its Verilog."""

import io
import json
import zipfile
import zlib
from pathlib import Path

import click

from hwgen.cli._options import bandwidth_option, json_option, latency_option, set_option
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
@latency_option
@bandwidth_option
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
    if masks is not None and not chosen.array.gated:
        raise UserError(f"MASKS: are for a configuration with gates, which {chosen.name} has not")
    layers = _decisions(masks, images, 8 * chosen.array.lanes) if chosen.array.gated else []
    model = MemoryModel(latency, bandwidth)
    facts = {"config": chosen.name, "generation": generation(chosen)}
    facts["dense"] = dense(chosen, model)
    if chosen.array.gated:
        facts["batch"] = batch
        facts["gated"] = [gated(chosen, name, m, model, batch) for name, m in layers]
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        _print(facts)


def _decisions(path: Path | None, images: int, multiple: int) -> list:
    """(name, decisions) of each layer, whose channels are a multiple of ``multiple``."""
    import numpy as np

    if path is None:
        rng = np.random.default_rng(0)
        return [
            (f"random {channels}", rng.random((images, channels, size, size)) < 0.2)
            for channels, size in ((64, 16), (128, 8))
        ]
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise UserError(f"MASKS: {path} cannot be read ({error.strerror or error})") from None
    except (TypeError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        raise UserError(f"MASKS: must be a whole .npz file of arrays, not {path}") from None
    for name, array in arrays.items():
        shape = array.shape
        if array.ndim != 4 or 0 in shape or shape[0] < 2 or shape[1] % multiple:
            raise UserError(
                f"MASKS: {path}, {name} must be (images, channels, rows, columns) with at least 2 "
                f"images and a multiple of {multiple} channels, not {list(shape)}"
            )
    if not arrays:
        raise UserError(f"MASKS: must hold an array for each layer; {path} has none")
    return [(name, array[:images].astype(bool)) for name, array in arrays.items()]


def _print(facts: dict) -> None:
    from rich.table import Table

    from hwgen.console import output

    made, dense = facts["generation"], facts["dense"]
    console = output()
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
