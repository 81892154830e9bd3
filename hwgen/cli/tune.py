"""``hwgen tune``: widths for every layer of a network."""

import json
from pathlib import Path

import click

from hwgen.cli._options import FloatRange, json_option, set_option
from hwgen.errors import UserError

__all__ = ["command"]

FILE = click.Path(path_type=Path)
COSTS = {"cycles": "cycles", "energy": "microjoules"}
"""Fields of a measurement by what users call them."""


@click.command("tune")
@click.argument("net", type=FILE)
@click.argument("images", type=FILE)
@click.option("--config", "name", default="bitfusion8", show_default=True, help="Configuration.")
@set_option
@click.option("--count", type=click.IntRange(1), default=500, show_default=True, help="Of IMAGES.")
@click.option(
    "--drop",
    type=FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="Goal: the cheapest that loses at most so many percent of the images.",
)
@click.option("--accuracy", type=FloatRange(0, 100), help="Goal: the cheapest with so many %.")
@click.option("--limit", type=FloatRange(0), help="Goal: the best that costs at most this.")
@click.option(
    "--cost",
    type=click.Choice(list(COSTS)),
    default="cycles",
    show_default=True,
    help="Of an image: cycles, or µJ (without clock and leakage).",
)
@click.option("--trials", type=click.IntRange(0), default=200, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--batch", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option("--finetune", type=FILE, help="TOML file of hwgen train to put the widths into.")
@click.option("--out", type=FILE, help="Folder of results.  [default: build/tune/NET-CONFIG]")
@click.option("--fresh", is_flag=True, help="Measure anew instead of going on from OUT.")
@json_option
def command(
    net,
    images,
    name,
    settings,
    count,
    cost,
    trials,
    seed,
    batch,
    finetune,
    out,
    fresh,
    as_json,
    **goal,
):
    """Choose widths for the layers of NET, an integer network, for a configuration with modes.

    First every layer alone, in every mode; then all together, by a search for little loss at little
    cost. The integer reference runs each choice on IMAGES (with labels; otherwise the classes of
    NET count as right), the cycle model its program. An array without gates computes NET without
    its own. Nothing is trained: fine-tune with what finetune.toml says. OUT gets measured.jsonl,
    result.json, pareto.png, finetune.toml and the chosen network. The same call goes on where it
    was stopped.
    """
    from hwgen.bench.whole import ungated
    from hwgen.cli._progress import bars
    from hwgen.config import load
    from hwgen.console import output
    from hwgen.files import write_together
    from hwgen.rtl.mac import facts
    from hwgen.tuning import Log, Meter, Space, front, search, sensitivity
    from hwgen.tuning.finetune import layer_table, with_layer_table
    from hwgen.tuning.plot import pareto_png
    from hwgen.tuning.report import as_dict, described, tables
    from models.netfile import load as load_network
    from models.netfile import network_bytes

    _check_goal(goal)
    config, network = load(name, settings), load_network(net)
    if not config.array.gated:
        network = ungated(network)
    if finetune:
        with_layer_table(finetune, network)  # Refused before the search, not after.
    inputs, labels = _images(network, images, count)
    space = Space.of(network, facts(config).modes, f"array.modes of {config.name}")
    out = out or Path("build/tune") / f"{net.stem}-{config.name}"
    if fresh:
        (out / "measured.jsonl").unlink(missing_ok=True)
    log = Log(out / "measured.jsonl", _run(net, config, inputs, labels, batch))
    meter, field = Meter(space, config, inputs, labels, log, batch), COSTS[cost]
    with bars() as bar:
        alone = sensitivity(meter, bar("each layer"))
        options = {"cost": field, "trials": trials, "seed": seed, "progress": bar("together")}
        measured = search(meter, alone, **options)
    before, best = meter(space.widest), front(measured, field)
    chosen = _chosen(measured, before, field, goal)
    found = (space, alone, before, best, chosen)
    result = {"config": config.name, "images": len(inputs), "cost": field} | as_dict(*found)
    tuned = meter.network(chosen.widths)
    table = with_layer_table(finetune, tuned) if finetune else layer_table(tuned)
    tuned = described(tuned, space.table(chosen.widths), len(inputs), chosen.accuracy)
    title = f"{network.name} on {config.name}"
    files = {
        "result.json": json.dumps(result, indent=2) + "\n",
        "pareto.png": pareto_png(measured, best, chosen, field, title),
        "finetune.toml": table,
        "chosen.safetensors": network_bytes(tuned),
    }
    write_together({out / file: content for file, content in files.items()})
    if as_json:
        click.echo(json.dumps(result, indent=2))
        return
    for shown in tables(*found):
        output().print(shown)
    gain = getattr(before, field) / getattr(chosen, field)
    click.echo(
        f"chosen: {100 * chosen.accuracy:.2f} % of {len(inputs)} images "
        f"({100 * before.accuracy:.2f} % before), {gain:.2f} times less {cost}"
    )
    click.echo(f"{out}/ " + ", ".join(files))


def _images(network, path: Path, count: int):
    """Integers of the images in a file, and what is right: labels, or what ``network`` says."""
    from models.images import load_images
    from models.reference import prepare, run

    loaded = load_images(path, count)
    inputs = prepare(network, loaded.images)
    if loaded.labels is None:
        return inputs, run(network, inputs).classes
    if len(loaded.labels[:count]) != len(inputs):
        raise UserError(f"{path}: {len(inputs)} images, {len(loaded.labels)} labels")
    return inputs, loaded.labels[:count]


def _run(net: Path, config, inputs, labels, batch: int) -> dict:
    """What measurements depend on."""
    import hashlib

    import hwgen

    images = hashlib.sha256(inputs.tobytes() + labels.astype("<i8").tobytes()).hexdigest()
    return {
        "network": hashlib.sha256(net.read_bytes()).hexdigest(),
        "images": images,
        "configuration": config.hash,
        "batch": batch,
        "version of hwgen": hwgen.__version__,
    }


def _check_goal(goal: dict) -> None:
    if goal["accuracy"] is not None and goal["limit"] is not None:
        raise UserError("--accuracy, --limit: must be one of them, not both")


def _chosen(measured, before, cost: str, goal: dict):
    """The one that meets the goal."""
    limit, wanted = goal["limit"], goal["accuracy"]
    if limit is not None:
        able = [m for m in measured if getattr(m, cost) <= limit]
        if not able:
            least = min(getattr(m, cost) for m in measured)
            raise UserError(f"--limit: must be at least {least:g} here, not {limit:g}")
        return min(able, key=lambda m: (-m.accuracy, m.loss, getattr(m, cost)))
    least = before.accuracy - goal["drop"] / 100 if wanted is None else wanted / 100
    able = [m for m in measured if m.accuracy >= least - 1e-9]
    if not able:
        most = 100 * max(m.accuracy for m in measured)
        raise UserError(f"--accuracy: must be at most {most:.2f} here, not {wanted:g}")
    return min(able, key=lambda m: (getattr(m, cost), m.loss))
