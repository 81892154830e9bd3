"""``hwgen verilog``: the accelerator of a configuration as Verilog, JSON, C header and driver."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from hwgen.cli._options import config_argument, json_option, set_option
from hwgen.config import Config, load

if TYPE_CHECKING:
    from hwgen.verilog import Equivalence

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
@click.option(
    "--prove",
    is_flag=True,
    help="Prove with Yosys that NAME.v does what Amaranth's own output does.",
)
@json_option
def command(config: str, settings: tuple[str, ...], out: Path, prove: bool, as_json: bool) -> None:
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
    proved = _prove(resolved, artifacts.verilog, console) if prove else None
    if as_json:
        files = {kind: str(path) for kind, path in paths.items()}
        result = {"name": resolved.name, "hash": resolved.hash, "files": files}
        if proved is not None:
            result["proved"] = asdict(proved)
        click.echo(json.dumps(result, indent=2))
        return
    for path in paths.values():
        click.echo(f"{path}  {len(path.read_bytes().splitlines()):>7,} lines")
    if proved is not None:
        click.echo(
            f"proved equal to Amaranth's output: {proved.points:,} bits "
            f"({proved.registers:,} registers, ports of {proved.memories:,} memories)"
        )
    click.echo(f"hash {resolved.hash[:16]}, {time.monotonic() - start:.1f} s")


def _prove(config: Config, text: str, console: Console) -> "Equivalence":
    """Prove the text that was written; a line and exit code 1 if that fails."""
    from hwgen.accelerator import Accelerator
    from hwgen.verilog import NotEquivalent, check_equivalence

    start = time.monotonic()
    with console.status(config.name) as status:

        def progress(step: str) -> None:
            status.update(f"{config.name}: {step} … ({time.monotonic() - start:.0f} s so far)")

        try:
            return check_equivalence(
                Accelerator(config), name=config.name, text=text, progress=progress
            )
        except NotEquivalent as error:
            raise click.ClickException(f"{config.name}.v: {error}") from None
