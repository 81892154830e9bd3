"""``hwgen bench``: gated against dense on the same array, and against the ideal."""

import json
from pathlib import Path

import click

from hwgen.cli._options import json_option, set_option
from hwgen.cli._progress import working
from hwgen.errors import UserError

__all__ = ["command"]


@click.command("bench")
@click.argument("net", type=click.Path(path_type=Path), required=False)
@click.argument("input", type=click.Path(path_type=Path), required=False)
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(["trained", "cifar", "imagenet"]),
    help="Only these networks; may be repeated. Default: all, or none if NET is given.",
)
@click.option("--only", default="", help="Of these the ones whose name has this in it: resnet18.")
@click.option(
    "--batch",
    "batches",
    multiple=True,
    type=click.IntRange(1, 64),
    default=(1, 16),
    show_default=True,
    help="Images of a run; may be repeated.",
)
@click.option(
    "--bytes",
    "bytes_a_cycle",
    multiple=True,
    type=click.IntRange(1, 32),
    default=(4, 8, 16, 32),
    show_default=True,
    help="Memory: bytes a cycle; may be repeated. Above 16 the bus is 256 bits wide.",
)
@click.option(
    "--density/--no-density",
    default=None,
    help="Sweep the density of ResNet-18 for CIFAR, too.  [default: with part cifar]",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures as JSON.")
@set_option
@json_option
def command(
    net, input, parts, only, batches, bytes_a_cycle, density, out, settings, as_json
) -> None:
    """Run whole networks through the cycle model: cgnet8 with gates against baseline8 without.

    `speed-up` is cycles without gates over cycles with them; `ideal` is how many times fewer
    products there are; `gated layers` is the part of their own ideal that these reach, `dense busy`
    the part of the multiplier cycles that the dense network uses. ResNet-18 and VGG-16 have random
    weights and generated masks at the published reduction of 2.82; the trained networks have their
    own masks. NET is a gated network of yours, with its own masks on INPUT (as of hwgen run). --set
    holds for both configurations.
    """
    from hwgen.bench.suite import DENSITIES, PARTS, measure
    from hwgen.files import check_writable, write_atomic

    if out is not None:
        check_writable(out)
    parts = parts or (PARTS if net is None else ())
    sweep = "cifar" in parts if density is None else density
    with working() as (console, say):

        def show(row: dict) -> None:
            if not as_json:
                console.print(_line(row), highlight=False, soft_wrap=True)

        document = measure(
            parts,
            batches,
            bytes_a_cycle,
            DENSITIES if sweep else (),
            settings,
            say,
            show,
            [] if net is None else _own(net, input, batches),
            only,
        )
    text = json.dumps(document, indent=1) + "\n"
    if out is not None:
        write_atomic(out, text)
    click.echo(text, nl=False) if as_json else _print(document)


def _own(net: Path, path: Path | None, batches) -> list:
    """The user's network with as many images as each run takes."""
    from hwgen.bench.suite import of_images
    from hwgen.cli._images import input_images
    from models.netfile import load

    network = load(net)
    if not network.gated:
        raise UserError(f"{net}: network {network.name} has no gate; there is nothing to compare")
    images, labels = input_images(network, path, max(batches))
    if len(images) < max(batches):
        raise UserError(f"{path}: holds {len(images)} images, --batch asks for {max(batches)}")
    return [of_images(network, images, labels, batch) for batch in batches]


def _line(row: dict) -> str:
    """A run, or a point of the sweep of densities."""
    if "subject" in row:
        what = f"{row['subject']}, batch {row['batch']}, {row['bytes_a_cycle']} bytes a cycle"
    else:
        what = f"gated layers of resnet18 32x32, batch {row['batch']}, density {row['density']}"
    return f"{what}: {row['speedup']:.2f} of {row['ideal']:.2f}"


def _print(document: dict) -> None:
    from rich import box
    from rich.table import Table

    from hwgen.console import output

    console = output()
    title = f"cgnet8 against baseline8, memory latency {document['latency']}"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0, pad_edge=False)  # 80 columns
    table.add_column("network", no_wrap=True)
    for name in ("batch", "B/\ncycle", "gated", "dense", "speed-\nup", "ideal"):
        table.add_column(name, justify="right")
    table.add_column("gated\nlayers", justify="right")
    table.add_column("dense\nbusy", justify="right")
    for row in document["runs"]:
        part = row["gated_layers"]
        table.add_row(
            row["subject"],
            str(row["batch"]),
            str(row["bytes_a_cycle"]),
            f"{row['gated']['cycles']:,}",
            f"{row['dense']['cycles']:,}",
            f"{row['speedup']:.2f}",
            f"{row['ideal']:.2f}",
            f"{part['reached']:.1%}" if part else "",
            f"{row['dense']['utilization']:.1%}",
        )
    console.print(table)
    if document["densities"]:
        table = Table(title="gated layers of resnet18 32x32 against their density, 16 B/cycle")
        for name in ("batch", "density", "speed-up", "ideal", "reached"):
            table.add_column(name, justify="right")
        for row in document["densities"]:
            table.add_row(
                str(row["batch"]),
                f"{row['density']:.2f}",
                f"{row['speedup']:.2f}",
                f"{row['ideal']:.2f}",
                f"{row['reached']:.1%}",
            )
        console.print(table)
