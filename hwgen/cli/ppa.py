"""``hwgen ppa``: measure the shipped configurations, and see what has become worse."""

import json
from pathlib import Path

import click

from hwgen.cli._progress import working
from hwgen.errors import UserError
from hwgen.files import check_writable, write_atomic

__all__ = ["command"]


@click.command("ppa")
@click.option("--only", default="*", help="Entries to measure, as 'cycles/*'; the others stay.")
@click.option(
    "--liberty",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Measure areas in these standard cells, too; may be repeated.",
)
@click.option(
    "--sram",
    type=click.Path(path_type=Path),
    help="With --liberty: folder of the Liberty files of SRAM macros.",
)
@click.option("--declare", "why", help="Why figures are worse by more than 2 %.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("docs/results/ppa.json"),
    show_default=True,
    help="The file that is compared with, and written.",
)
def command(only, liberty, sram, why, out):
    """Measure area, clock and cycles of the shipped configurations and write them down.

    A figure that is worse than the file's by more than 2 % must be declared with a reason.
    """
    from hwgen.flows import Libraries
    from hwgen.flows.ppa import measure, merge, read

    check_writable(out)
    kept = read(out)
    if sram and not liberty:
        raise UserError("SRAM: is for --liberty only")
    libraries = Libraries.read(liberty, sram) if liberty else None
    with working() as (_, say):
        measured = measure(only, say, libraries)
    document = merge(kept, measured, why)
    write_atomic(out, json.dumps(document, indent=1) + "\n")
    for name, figures in measured.items():
        told = ", ".join(f"{figure} {value:,.10g}" for figure, value in figures.items())
        click.echo(f"{name}: {told}")
