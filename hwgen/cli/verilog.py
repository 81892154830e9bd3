"""``hwgen verilog``: the accelerator of a configuration as Verilog, JSON, C header and driver."""

import json
import time
from pathlib import Path

import click
from rich.console import Console

from hwgen.cli._options import config_argument, json_option, set_option
from hwgen.config import load

__all__ = ["command"]


@click.command("verilog")
@config_argument
@set_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="rtl_out",
    show_default=True,
    help="Folder for the files; it is made if it is missing.",
)
@json_option
def command(config: str, settings: tuple[str, ...], out: Path, as_json: bool) -> None:
    """Write NAME.v, NAME.json, NAME.h and the C driver hwgen_driver.h, .c for CONFIG.

    CONFIG is a shipped name (hwgen configs lists them) or the path of a TOML file. All files are
    written or none; an error leaves those of an earlier run as they were.
    """
    start = time.monotonic()
    resolved = load(config, settings)
    from hwgen.generate import generate

    # The moving line is for people who wait; standard output stays clean for programs.
    console = Console(stderr=True)
    with console.status(resolved.name) as status:
        artifacts = generate(resolved, lambda step: status.update(f"{resolved.name}: {step} …"))
    paths = artifacts.write(out)
    if as_json:
        files = {kind: str(path) for kind, path in paths.items()}
        result = {"name": resolved.name, "hash": resolved.hash, "files": files}
        click.echo(json.dumps(result, indent=2))
        return
    for path in paths.values():
        click.echo(f"{path}  {len(path.read_bytes().splitlines()):>7,} lines")
    click.echo(f"hash {resolved.hash[:16]}, {time.monotonic() - start:.1f} s")
