"""``hwgen energy``: what an image costs, by cause, with gates and without."""

import json
from pathlib import Path

import click
from rich.table import Table as Grid

from hwgen.cli._options import FloatRange, json_option
from hwgen.config import load
from hwgen.console import output
from hwgen.errors import UserError

__all__ = ["command"]

NETWORK = "fashion_small.safetensors"
IMAGES = "fashion_sample.npz"
FILE = click.Path(path_type=Path)


@click.command("energy")
@click.argument("network", required=False, type=FILE)
@click.argument("images", required=False, type=FILE)
@click.option("--config", "gated", default="cgnet8", show_default=True, help="Runs the gates.")
@click.option("--against", "dense", default="baseline8", show_default=True, help="Without gates.")
@click.option("--batch", type=click.IntRange(1, 64), default=16, show_default=True)
@click.option("--frequency", type=FloatRange(1, 5000), default=200.0, help="MHz of the clock.")
@click.option(
    "--report",
    type=FILE,
    help="Of `hwgen synth CONFIG --target asic --json`: for clock and leakage.",
)
@click.option("--against-report", type=FILE, help="The same of the other configuration.")
@click.option("--table", type=FILE, help="Energies of operations, instead of those shipped.")
@json_option
def command(
    network, images, gated, dense, batch, frequency, report, against_report, table, as_json
):
    """Energy of an image of NETWORK on two configurations, by the cycle model's counts.

    NETWORK and IMAGES are by default the trained network that ships, and its test images. Without
    the reports of synthesis, clock and leakage are left out.
    """
    import models.zoo
    from hwgen.bench.whole import Case
    from hwgen.cycles import predict
    from hwgen.energy import CAUSES, Silicon, Table, energy_of
    from hwgen.energy.zeros import nonzero_products
    from models.images import load_images
    from models.netfile import load as load_network
    from models.reference import prepare
    from models.reference import run as reference

    if (report is None) != (against_report is None):
        raise UserError("REPORT: must be given for both configurations, or for none")
    costs = Table.read(table)
    sides = []
    for name, file in ((gated, report), (dense, against_report)):
        config = load(name)
        silicon = _silicon(Silicon, file, config.hash, frequency * 1e6) if file else None
        sides.append((config, silicon))
    folder = Path(models.zoo.__file__).parent
    if images is None and network is not None:
        raise UserError("IMAGES: must be given with NETWORK: its gates decide by them")
    net = load_network(network or folder / NETWORK)
    inputs = load_images(images or folder / IMAGES)
    if len(inputs.images) < batch:
        raise UserError(
            f"{images or folder / IMAGES}: holds {len(inputs.images)} images, --batch asks for "
            f"{batch}"
        )
    prepared = prepare(net, inputs.images[:batch])
    masks = reference(net, prepared, masks=True).masks
    found = []
    for config, silicon in sides:
        case = Case.of(net, config, masks, batch)
        program, fired = case.compiled.program, case.decided()
        run = case.compiled.network
        traced = reference(run, prepared, taps=True, masks=True)
        spent = energy_of(
            predict(config, program, fired),
            config,
            costs,
            nonzero=nonzero_products(run, traced),
            silicon=silicon,
            images=batch,
        )
        found.append((config.name, spent))
    if as_json:
        document = {"format": "hwgen-energy", "table": costs.name, "frequency": frequency}
        document |= {"network": net.name, **{name: spent.as_dict() for name, spent in found}}
        click.echo(json.dumps(document, indent=2))
        return
    grid = Grid(title=f"{net.name}: µJ an image, {costs.name}, batch {batch}")
    grid.add_column("")
    for name, _spent in found:
        grid.add_column(name, justify="right")
    grid.add_column("ratio", justify="right")
    (_, first), (_, second) = found
    for cause in CAUSES:
        pair = [spent.spent[cause] / batch / 1e6 for spent in (first, second)]
        grid.add_row(cause, *(f"{value:,.3f}" for value in pair), _ratio(*pair))
    totals = [spent.total / batch / 1e6 for spent in (first, second)]
    grid.add_row("all", *(f"{value:,.3f}" for value in totals), _ratio(*totals))
    output().print(grid)


def _ratio(first: float, second: float) -> str:
    return f"{second / first:.2f}" if first else "-"


def _silicon(kind, path: Path, digest: str, frequency: float):
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"REPORT: {path} cannot be read ({error})") from None
    known = document if isinstance(document, dict) else {}
    if (known.get("format"), known.get("target")) != ("hwgen-synthesis", "asic"):
        raise UserError(f"REPORT: {path} must be of hwgen synth --target asic --json")
    if known["hash"] != digest:
        raise UserError(f"REPORT: {path} is of another configuration: hash {known['hash'][:16]}")
    if known["module"] != known["name"]:
        raise UserError(f"REPORT: {path} must be of the whole accelerator, not {known['module']}")
    return kind.of_report(known, frequency)
