"""``hwgen ppa``: measure the shipped configurations, and see what has become worse."""

import json
from pathlib import Path

import click
from rich.console import Console

from hwgen.files import check_writable, write_atomic

__all__ = ["command"]


@click.command("ppa")
@click.option("--only", default="*", help="Entries to measure, as 'cycles/*'; the others stay.")
@click.option("--declare", "why", help="Why figures are worse by more than 2 %.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("docs/results/ppa.json"),
    show_default=True,
    help="The file that is compared with, and written.",
)
def command(only, why, out):
    """Measure area, clock and cycles of the shipped configurations and write them down.

    A figure that is worse than the file's by more than 2 % must be declared with a reason.
    """
    from hwgen.flows.ppa import measure, merge, read

    check_writable(out)
    kept = read(out)
    with Console(stderr=True).status("…") as status:
        measured = measure(only, status.update)
    document = merge(kept, measured, why)
    write_atomic(out, json.dumps(document, indent=1) + "\n")
    for name, figures in measured.items():
        told = ", ".join(f"{figure} {value:,.10g}" for figure, value in figures.items())
        click.echo(f"{name}: {told}")
