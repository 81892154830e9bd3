"""``hwgen fpga``: the bitstream of a board."""

import json
from pathlib import Path

import click

from hwgen.cli._options import config_argument, json_option, set_option
from hwgen.cli._progress import working
from hwgen.config import load
from hwgen.console import output
from hwgen.files import check_writable, write_together

__all__ = ["command"]


@click.command("fpga")
@config_argument
@set_option
@click.option("--board", default="", help="ulx3s, orangecrab, icebreaker, tang_nano_9k, ...")
@click.option("--baud", type=click.IntRange(300), default=115_200, show_default=True)
@click.option("--memory", type=click.IntRange(1024), help="Bytes of the memory on chip.")
@click.option("--divide", type=click.Choice(["1", "2", "4", "8", "16"]), help="Of the clock.")
@click.option("--seed", type=click.IntRange(1), default=1, show_default=True, help="Of the placer.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("rtl_out"),
    show_default=True,
    help="Folder for CONFIG_BOARD.bit (or .bin, .fs) and its .json.",
)
@json_option
def command(config, settings, board, baud, memory, divide, seed, out, as_json):
    """Make a bitstream of CONFIG for a board: accelerator, memory on chip, serial port.

    hwgen.uart.UartTransport is the driver's way to it; docs/uart.md has the protocol.
    """
    from hwgen.flows.bitstream import make_bitstream
    from hwgen.flows.boards import board_named
    from hwgen.flows.tables import routing_tables

    chosen = board_named(board)
    resolved = load(config, settings)
    stem = f"{resolved.name}_{board}"
    path = out / f"{stem}.{chosen.suffix}"
    check_writable(path)
    with working() as (_, say):
        made = make_bitstream(
            resolved,
            chosen,
            baud=baud,
            memory_bytes=memory,
            divide=int(divide) if divide else None,
            seed=seed,
            progress=lambda stage: say(f"{resolved.name} for {board}: {stage}"),
        )
    text = json.dumps(made.as_dict(), indent=2) + "\n"
    write_together({path: made.data, out / f"{stem}.json": text})
    if as_json:
        click.echo(text, nl=False)
        return
    output().print(*routing_tables(made.routing))
    click.echo(
        f"{path}: {len(made.data):,} bytes; {made.clock_hz / 1e6:g} MHz, {made.baud} baud, "
        f"{made.memory_bytes // 1024} KiB"
    )
