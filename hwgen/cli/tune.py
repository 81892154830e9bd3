"""``hwgen tune``: widths for every layer of a network."""

import json
from pathlib import Path

import click

from hwgen.cli._options import json_option, set_option
from hwgen.errors import UserError

__all__ = ["command"]

FILE = click.Path(path_type=Path)


@click.command("tune")
@click.argument("net", type=FILE)
@click.argument("images", type=FILE)
@click.option("--config", "name", default="bitfusion8", show_default=True, help="Configuration.")
@set_option
@click.option("--count", type=click.IntRange(1), default=500, show_default=True, help="Of IMAGES.")
@click.option(
    "--drop",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="Goal: the cheapest that loses at most so many percent of the images.",
)
@click.option("--accuracy", type=click.FloatRange(0, 100), help="Goal: the cheapest with so many %.")
@click.option("--limit", type=click.FloatRange(0), help="Goal: the best that costs at most this.")
@click.option(
    "--cost",
    type=click.Choice(["cycles", "energy"]),
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
def command(net, images, name, settings, count, out, fresh, as_json, **options):
    """Choose widths for the layers of NET, an integer network, for a configuration with modes.

    First every layer alone, in every mode; then all together, by a search for little loss at little
    cost. The integer reference runs each choice on IMAGES (with labels; otherwise the classes of
    NET count as right), the cycle model its program. Nothing is trained: fine-tune with what
    finetune.toml says. OUT gets measured.jsonl, result.json, pareto.png, finetune.toml and the
    chosen network. The same call goes on where it was stopped.
    """
    from rich.console import Console

    from hwgen.config import load
    from hwgen.rtl.mac import facts
    from hwgen.tuning import Log, Meter, Space, front, search, sensitivity
    from models.images import load_images
    from models.netfile import load as load_network
    from models.reference import prepare
    from models.reference import run as reference

    config, network = load(name, settings), load_network(net)
    loaded = load_images(images, count)
    inputs = prepare(network, loaded.images)
    labels = loaded.labels
    if labels is None:
        labels = reference(network, inputs).classes
    elif len(labels) != len(inputs):
        raise UserError(f"{images}: {len(inputs)} images, {len(labels)} labels")
    space = Space.of(network, facts(config).modes, f"array.modes of {config.name}")
    out = out or Path("build/tune") / f"{net.stem}-{config.name}"
    if fresh:
        (out / "measured.jsonl").unlink(missing_ok=True)
    log = Log(out / "measured.jsonl", _run(net, config, inputs, labels, options["batch"]))
    meter = Meter(space, config, inputs, labels, log, options["batch"])
    cost = {"cycles": "cycles", "energy": "microjoules"}[options["cost"]]
    with _bar(Console(stderr=True)) as progress:
        alone = sensitivity(meter, progress=progress("each layer"))
        everything = search(
            meter,
            alone,
            cost=cost,
            trials=options["trials"],
            seed=options["seed"],
            progress=progress("together"),
        )
    before, best = meter(space.widest), front(everything, cost)
    chosen = _chosen(everything, before, cost, options)
    result = _result(space, before, alone, best, chosen, config)
    _write(out, meter.network(chosen.widths), result, options["finetune"], everything, best, chosen)
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        _print(space, result, alone, best, chosen, before)
        click.echo(f"{out}/result.json, pareto.png, finetune.toml, chosen.safetensors")


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


def _bar(console):
    from contextlib import contextmanager

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    @contextmanager
    def bars():
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining()]
        with Progress(*columns, console=console) as display:

            def begin(title: str):
                task = display.add_task(title, total=None)
                return lambda done, total: display.update(task, completed=done, total=total)

            yield begin

    return bars()


def _chosen(measured, before, cost: str, options):
    """The one that meets the goal."""
    limit, wanted = options["limit"], options["accuracy"]
    if limit is not None and wanted is not None:
        raise UserError("--accuracy and --limit: one of them")
    if limit is not None:
        able = [m for m in measured if getattr(m, cost) <= limit]
        if not able:
            least = min(getattr(m, cost) for m in measured)
            raise UserError(f"--limit {limit:g}: the least that was found is {least:g}")
        return min(able, key=lambda m: (-m.accuracy, m.loss, getattr(m, cost)))
    least = before.accuracy - options["drop"] / 100 if wanted is None else wanted / 100
    able = [m for m in measured if m.accuracy >= least - 1e-9]
    if not able:
        most = max(m.accuracy for m in measured)
        raise UserError(f"--accuracy {wanted:g}: the most that was found is {100 * most:.2f}")
    return min(able, key=lambda m: (getattr(m, cost), m.loss))


def _result(space, before, alone, best, chosen, config) -> dict:
    def entry(m):
        return {
            "widths": space.table(m.widths),
            "accuracy": m.accuracy,
            "loss": m.loss,
            "cycles": m.cycles,
            "uJ": m.microjoules,
        }

    return {
        "network": space.network.name,
        "config": config.name,
        "before": entry(before),
        "chosen": entry(chosen),
        "front": [entry(m) for m in best],
        "alone": {
            name: {
                str(mode): {k: v for k, v in entry(m).items() if k != "widths"}
                for mode, m in zip(space.options[name], measured, strict=True)
            }
            for name, measured in alone.items()
        },
    }


def _write(out: Path, network, result, finetune, measured, best, chosen) -> None:
    from hwgen.files import write_together
    from hwgen.tuning.finetune import layer_table, with_layer_table
    from hwgen.tuning.plot import pareto_png
    from models.netfile import network_bytes

    cost = result["cost"]
    title = f"{result['network']} on {result['config']}"
    picture = pareto_png(measured, best, chosen, cost, title)
    network = network.with_info(test_accuracy=None) if False else network
    table = with_layer_table(finetune, network) if finetune else layer_table(network)
    write_together(
        {
            out / "result.json": json.dumps(result, indent=2) + "\n",
            out / "pareto.png": picture,
            out / "finetune.toml": table,
            out / "chosen.safetensors": network_bytes(network),
        }
    )


def _print(space, alone, best, chosen, before) -> None:
    from rich.console import Console
    from rich.table import Table
