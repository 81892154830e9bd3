"""``hwgen compile``: a network file to a program."""

import json
from pathlib import Path

import click

from hwgen.cli._options import (
    FloatRange,
    batch_option,
    json_option,
    order_option,
    plans_option,
    set_option,
)

__all__ = ["command"]


@click.command("compile")
@click.argument("net", type=click.Path(path_type=Path))
@click.option("--config", "name", default="cgnet8", show_default=True, help="Configuration.")
@set_option
@batch_option
@order_option
@plans_option
@click.option("--out", type=click.Path(path_type=Path), help="Program file (.safetensors).")
@click.option("--listing", type=click.Path(path_type=Path), help="The program as text.")
@click.option("--c", "c_header", type=click.Path(path_type=Path), help="C header for the driver.")
@click.option("--predict/--no-predict", default=True, help="Cycles by the cycle model.")
@click.option(
    "--profile",
    type=click.Path(path_type=Path),
    help="Images as hwgen run takes them: channels are dealt by how often each fires on the first "
    "of them, and cycles are those of their decisions.",
)
@click.option(
    "--density",
    type=FloatRange(0, 1),
    default=0.25,
    show_default=True,
    help="Without --profile: share of outputs that fire in gated layers.",
)
@json_option
def command(
    net,
    name,
    settings,
    batch,
    order,
    plans,
    out,
    listing,
    c_header,
    predict,
    profile,
    density,
    as_json,
) -> None:
    """Compile NET for a configuration, and print what each layer costs.

    Columns read and written: bytes of memory. Column cycles: predicted, from the end of the layer
    before to its own end; without --profile decisions of gates are made up, as lumpy as real ones,
    and every channel of a layer is taken to fire as often as the others. Column busy: share
    of the products that the array could have made in these cycles. What other orders would cost is
    in the listing and in the JSON.
    """
    import numpy as np

    from hwgen.bench.masks import generated_masks
    from hwgen.compiler import file
    from hwgen.compiler.network import compile_network
    from hwgen.config import load
    from hwgen.files import write_together
    from models.netfile import load as load_network

    network = load_network(net)
    if profile is None:
        masks = generated_masks(network, density, batch)
        densities = {gate.name: np.full(gate.output.shape[0], density) for gate in network.gated}
    else:
        masks = _masks(network, profile, batch)
        densities = {gate: mask.mean((0, 2, 3)) for gate, mask in masks.items()}
    how = {"batch": batch, "order": order, "plans": plans}
    compiled = compile_network(network, load(name, settings), densities, **how)
    data = file.program_bytes(compiled)
    files = {}
    if out is not None:
        files[out] = data
    if listing is not None:
        files[listing] = file.listing(compiled)
    if c_header is not None:
        from hwgen.compiler.cfile import program_header

        files[c_header] = program_header(compiled)
    if files:
        write_together(files)
    rows = file.summary(compiled)
    total = _predict(compiled, masks, rows) if predict else None
    if as_json:
        facts = {
            "instructions": len(compiled.program.steps),
            "predicted_cycles": total,
            "layers": rows,
        }
        click.echo(json.dumps(facts, indent=2))
    else:
        _print(compiled, rows, total)


def _masks(network, profile: Path, batch: int) -> dict:
    """Decisions of all gates on images, at least as many as a run takes."""
    import numpy as np

    from hwgen.cli._images import input_images
    from hwgen.simulator.compare import PROFILED
    from models.reference import run as reference

    images, _labels = input_images(network, profile, max(batch, PROFILED))
    images = np.resize(images, (max(batch, len(images)), *images.shape[1:]))  # repeats them
    return reference(network, images, masks=True).masks


def _predict(compiled, masks: dict, rows: list[dict]) -> int:
    """Fill in predicted cycles and the utilization that comes of them; the cycles of a run."""
    from hwgen.bench.whole import Case, run
    from hwgen.simulator.rtl import MemoryModel

    masks = {name: mask[: compiled.batch] for name, mask in masks.items()} or None
    result = run(Case(compiled, masks), MemoryModel())
    layers = {layer["layer"]: layer for layer in result["layers"]}
    for row in rows:
        row["predicted_cycles"] = cycles = layers[row["layer"]]["cycles"]
        if cycles:
            if row["peak"]:
                row["utilization"] = layers[row["layer"]]["macs"] / row["peak"] / cycles
    return result["cycles"]


def _size(number: float) -> str:
    """A number in few characters: 12.3k, 4.5M."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.1f}{unit}"
    return f"{number:.0f}"


def _print(compiled, rows: list[dict], total: int | None) -> None:
    from rich import box
    from rich.table import Table

    from hwgen.console import output

    title = f"{compiled.network.name} on {compiled.config.name}"
    # Ten columns have room in eighty characters without lines between them.
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    table.add_column("layer")
    for column in "MACs", "mode", "order", "tile", "tiles", "read", "written", "cycles", "busy":
        table.add_column(column, justify="right")
    for row in rows:
        busy, cycles = row["utilization"], row.get("predicted_cycles")
        table.add_row(
            row["layer"],
            _size(row["macs"]),
            "+".join(row["modes"]),
            row["order"] or "",
            "x".join(map(str, row["tile"] or [])),
            f"{row['tiles']:,}",
            _size(row["loaded"]),
            _size(row["stored"]),
            "" if cycles is None else f"{cycles:,.0f}",
            "" if busy is None else f"{busy:.1%}",
        )
    steps, constants = compiled.program.steps, compiled.program.constants
    by = "the cycle model" if "model" in {row["decided_by"] for row in rows} else "an estimate"
    table.caption = f"orders and tiles by {by}; "
    table.caption += f"{len(steps):,} instructions, {len(constants):,} bytes of constants"
    if total is not None:
        table.caption += f"; {total / compiled.batch:,.0f} cycles an image predicted"
    output().print(table)
