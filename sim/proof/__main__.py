"""``python -m sim.proof``: networks on the Verilog, one after the other, to be continued."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from hwgen import tools
from hwgen.cli import main
from hwgen.config import load
from hwgen.errors import UserError
from hwgen.simulator.rtl.build import NotBuilt

from .networks import CONFIGURATIONS, key_of, prove_network, table
from .random import prove_random
from .subjects import check_name, subject_names


def _known(log: Path | None) -> dict[str, dict]:
    """What an earlier call has found, by its key."""
    if log is None or not log.exists():
        return {}
    try:
        rows = [json.loads(line) for line in log.read_text().splitlines()]
        return {row["key"]: row for row in rows}
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{log}: is no log of an earlier run") from None


def _prove_all(
    keys: Iterable[str],
    prove: Callable[[str], dict],
    log: Path | None,
    table: Callable[[list[dict]], str] | None = None,
) -> None:
    """Prove each key that the log does not have, tell, and go on after differences."""
    keys, known, rows = list(keys), _known(log), []
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(keys))
        for key in keys:
            progress.update(task, description=key)
            row = known.get(key)
            if row is None or "difference" in row:
                row = _row(key, prove)
                if log is not None:
                    log.parent.mkdir(parents=True, exist_ok=True)
                    with log.open("a") as file:
                        file.write(json.dumps(row) + "\n")
            rows.append(row)
            text = ", ".join(f"{value} {name}" for name, value in row.items() if name != "key")
            click.echo(f"{key}: {text}")
            progress.update(task, advance=1)
    if table is not None:
        click.echo(table(rows))
    if failed := sum("difference" in row for row in rows):
        raise UserError(f"{failed} of {len(keys)} differ")
    refused = sum("edges" not in row for row in rows)
    click.echo(f"all {len(keys) - refused} equal" + f", {refused} refused" * bool(refused))


def _row(key: str, prove: Callable[[str], dict]) -> dict:
    started = time.monotonic()
    try:
        facts = prove(key)
    except NotBuilt:  # says nothing about the network
        raise
    except Exception as error:  # all kinds of mistakes are looked for
        notes = "; ".join(getattr(error, "__notes__", []))
        facts = {"difference": f"{type(error).__name__}: {error} ({notes})"}
    return {"key": key, **facts, "seconds": round(time.monotonic() - started)}


@click.group()
def commands() -> None:
    """Networks on the emitted Verilog while the memory stalls: every edge is compared with the
    integer reference, every performance counter with the cycle model.
    """


log_option = click.option(
    "--log", type=click.Path(path_type=Path), help="Keeps what was found; another call goes on."
)


@commands.command("random")
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="First seed.")
@click.option("--count", type=click.IntRange(1), default=50, show_default=True, help="Seeds.")
@log_option
def random_command(first: int, count: int, log: Path | None) -> None:
    """Random networks of all kinds of layers on random configurations, one a seed."""
    seeds = range(first, first + count)
    _prove_all(map(str, seeds), lambda key: prove_random(int(key)), log)


@commands.command("networks")
@click.option("--config", "configs", multiple=True, help="A configuration; else the main ones.")
@click.option("--network", "names", multiple=True, help="A network; else all.")
@log_option
def networks_command(configs: tuple[str, ...], names: tuple[str, ...], log: Path | None) -> None:
    """Every network of the repository, whole, on shipped configurations."""
    for config in configs:
        load(config)
    for name in names:
        check_name(name)
    keys = [
        key_of(name, config)
        for config in configs or CONFIGURATIONS
        for name in names or subject_names()
    ]
    _prove_all(keys, prove_network, log, table)


if __name__ == "__main__":
    tools.activate()
    main(group=commands, name="python -m sim.proof")
