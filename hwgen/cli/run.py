"""``hwgen run``: a network on an accelerator, checked against the integer reference."""

import json
from pathlib import Path

import click

from hwgen.cli._options import batch_option, json_option, order_option, set_option
from hwgen.errors import UserError

__all__ = ["command"]


@click.command("run")
@click.argument("net", type=click.Path(path_type=Path))
@click.argument("input", type=click.Path(path_type=Path), required=False)
@click.option("--config", "name", default="cgnet8", show_default=True, help="Configuration.")
@set_option
@click.option(
    "--backend",
    type=click.Choice(["golden", "functional", "rtl"]),
    default="rtl",
    show_default=True,
    help="Integer reference, program in integers, or the Verilog.",
)
@click.option("--images", type=click.IntRange(1), help="Only so many images.")
@batch_option
@order_option
@click.option("--latency", default=20, show_default=True, help="Memory: cycles to the first beat.")
@click.option("--bandwidth", default=1.0, show_default=True, help="Memory: beats a cycle.")
@click.option("--stall", default=0.0, show_default=True, help="Memory: share of random pauses.")
@click.option("--trace", type=click.Path(path_type=Path), help="FST file of the run (backend rtl).")
@click.option("--limit", default=1 << 32, help="Give up an image after so many cycles.")
@json_option
def command(
    net,
    input,
    name,
    settings,
    backend,
    images,
    batch,
    order,
    latency,
    bandwidth,
    stall,
    trace,
    limit,
    as_json,
):
    """Run NET on INPUT: an .npz with `images` (raw bytes or integers, NCHW) and perhaps `labels`.

    Without INPUT, random images are run. Every edge of every image is compared with the integer
    reference; a difference is an error of ours and is told by layer.
    """
    from hwgen.config import load
    from hwgen.simulator.compare import Memory, compare
    from models.netfile import load as load_network

    network = load_network(net)
    facts = compare(
        network,
        load(name, settings),
        *_images(network, input, images or (4 if input is None else None)),
        backend=backend,
        memory=Memory(latency, bandwidth, stall),
        trace=trace,
        limit=limit,
        quiet=as_json,
        batch=batch,
        order=order,
    )
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        _print(facts)
    if facts["wrong"]:
        raise SystemExit(1)


def _images(network, path, count):
    """Integer images for the network, and their labels or None."""
    import numpy as np

    from models.reference import prepare

    edge = network.input.output
    if path is None:
        rng = np.random.default_rng(0)
        return rng.integers(edge.lo, edge.hi + 1, (count, *edge.shape)), None
    try:
        with np.load(path, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"] if "labels" in file else None
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: must be an .npz file with an array `images` ({error})") from None
    images = images[:count]
    if images.ndim == 3:
        images = images[:, None]
    if network.input.full is not None and images.dtype == np.uint8:
        images = prepare(network, images)
    if images.shape[1:] != edge.shape:
        raise UserError(
            f"{path}: images are {images.shape[1:]}, network {network.name} takes {edge.shape}"
        )
    return images.astype(np.int64), None if labels is None else labels[:count]


def _print(facts: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{facts['network']} on {facts['config']} ({facts['backend']})")
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in facts.items():
        if name in ("network", "config", "backend", "counters") or value is None:
            continue
        text = (
            f"{value:,.4g}"
            if isinstance(value, float)
            else f"{value:,}"
            if isinstance(value, int)
            else str(value)
        )
        table.add_row(name.replace("_", " "), text)
    for name, value in (facts.get("counters") or {}).items():
        table.add_row(name.lower().replace("_", " "), f"{value:,.0f}")
    console.print(table)
