"""``hwgen compile``: a network file to a program."""

import json
from pathlib import Path

import click

from hwgen.cli._options import batch_option, json_option, order_option, set_option

__all__ = ["command"]


@click.command("compile")
@click.argument("net", type=click.Path(path_type=Path))
@click.option("--config", "name", default="cgnet8", show_default=True, help="Configuration.")
@set_option
@batch_option
@order_option
@click.option("--out", type=click.Path(path_type=Path), help="Program file (.safetensors).")
@click.option("--listing", type=click.Path(path_type=Path), help="The program as text.")
@click.option("--c", "c_header", type=click.Path(path_type=Path), help="C header for the driver.")
@json_option
def command(net, name, settings, batch, order, out, listing, c_header, as_json) -> None:
    """Compile NET for a configuration, and print what each layer costs.

    Array cycles are those of a dense run in which nothing waits; a gated layer takes fewer.
    """
    from hwgen.compiler import file
    from hwgen.compiler.network import compile_network
    from hwgen.config import load
    from hwgen.files import write_together
    from models.netfile import load as load_network

    compiled = compile_network(load_network(net), load(name, settings), batch=batch, order=order)
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
    if as_json:
        facts = {"instructions": len(compiled.program.steps), "layers": rows}
        click.echo(json.dumps(facts, indent=2))
    else:
        _print(compiled, rows)


def _print(compiled, rows: list[dict]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{compiled.network.name} on {compiled.config.name}")
    for column in ("layer", "MACs", "instructions", "loaded", "stored", "cycles", "used"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for row in rows:
        used = row["utilization"]
        table.add_row(
            row["layer"],
            f"{row['macs']:,}",
            f"{row['instructions']:,}",
            f"{row['loaded']:,}",
            f"{row['stored']:,}",
            f"{row['array_cycles']:,}",
            "" if used is None else f"{used:.1%}",
        )
    steps, constants = compiled.program.steps, compiled.program.constants
    table.caption = f"{len(steps):,} instructions, {len(constants):,} bytes of constants"
    Console().print(table)
