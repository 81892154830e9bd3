"""``hwgen side-by-side``: the cycle model beside those of others."""

import json
import sys
from pathlib import Path

import click

from hwgen.cli._options import FloatRange, json_option, set_option
from hwgen.cli._progress import working
from hwgen.errors import UserError

__all__ = ["command"]

EVERY = "scalesim,zigzag"


@click.command("side-by-side")
@click.argument("config", default="baseline8")
@set_option
@click.option(
    "--against", default=EVERY, show_default=True, help="Models, with commas between them."
)
@click.option(
    "--only", default="", help="Layers whose name has this in it, as 'ResNet-20'; default: all."
)
@click.option(
    "--python",
    type=click.Path(path_type=Path),
    default=Path(sys.executable),
    help="The Python that they are installed in.  [default: that of hwgen]",
)
@click.option(
    "--seconds",
    type=FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="Give up a layer in one model of others after so long.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures as JSON.")
@json_option
def command(config, settings, against, only, python, seconds, out, as_json):
    """Cycles of dense layers on CONFIG, and what SCALE-Sim and ZigZag say of an array with as many
    multipliers, buffers as large and a memory port as wide.

    `alone` is a layer from its first fetch to its last store, `steady` what one more image of it
    takes. `make side-by-side` sets up the Python with the others. SCALE-Sim takes minutes for a
    layer of ResNet-18 at ImageNet shapes; give it more --seconds, or leave it out by --against or
    --only.
    """
    from hwgen.bench.side_by_side import LAYERS, RIVALS, measure
    from hwgen.config import load
    from hwgen.files import check_writable, write_atomic

    chosen = load(config, settings)
    wanted = [name.strip() for name in against.split(",")]
    for name in wanted:
        if name not in {*EVERY.split(","), *RIVALS}:
            accepted = ", ".join(dict.fromkeys([*EVERY.split(","), *RIVALS]))
            raise UserError(f"AGAINST: must be of {accepted}, not {name!r}")
    rivals = [rival for rival in RIVALS.values() if {rival.name, rival.package} & set(wanted)]
    layers = [layer for layer in LAYERS if only in layer.name]
    if not layers:
        names = ", ".join(layer.name for layer in LAYERS)
        raise UserError(f"ONLY: must be part of a layer's name ({names}), not {only!r}")
    if out is not None:
        check_writable(out)
    with working() as (_, say):
        document = measure(chosen, rivals, layers, python, seconds, say)
    text = json.dumps(document, indent=1) + "\n"
    if out is not None:
        write_atomic(out, text)
    click.echo(text, nl=False) if as_json else _print(document)


def _print(document: dict) -> None:
    from rich import box
    from rich.table import Table

    from hwgen.console import output

    console = output()
    title = f"{document['config']}, {document['macs_a_cycle']} MACs a cycle"
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("layer", no_wrap=True)
    rivals = [name for name in document["layers"][0]["models"] if name != "hwgen"]
    for name in ("least", "alone", "steady", *rivals):
        table.add_column(name.replace("-", "\n"), justify="right")
    for row in document["layers"]:
        own = row["models"]["hwgen"]
        cells = [
            f"{row['layer']['macs'] // document['macs_a_cycle']:,}",
            f"{own['cycles']:,}\n{own['utilization']:.1%}",
            f"{own['steady_cycles']:,}\n{own['steady_utilization']:.1%}",
        ]
        for name in rivals:
            found = row["models"][name]
            if "cycles" in found:
                cells.append(f"{found['cycles']:,}\n{found['utilization']:.1%}")
            else:
                cells.append(f"not in\n{found['gave_up_after']:.0f} s")
        table.add_row(row["layer"]["name"], *cells)
    console.print(table)
    spent = {
        name: sum(row["models"][name].get("seconds", 0.0) for row in document["layers"])
        for name in ("hwgen", *rivals)
    }
    told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items())
    console.print(f"processor time: {told}", highlight=False)
