"""What a width gains: ``python -m hwgen.bench.widths CONFIG …``, by the cycle model.

Three equal convolutions in a row, in every pair of widths that a configuration has a mode for;
inputs and outputs have the width of the activations. The layer in the middle has neither the first
load nor the last drain in it. ``--sweep`` asks the same of one layer alone and of three in a row in
many shapes, in the modes of equal widths.
"""

from itertools import product

import click
import numpy as np

from hwgen.cli._options import batch_option, json_option
from hwgen.compiler.network import compile_network
from hwgen.config import Config, load
from hwgen.cycles import predict
from hwgen.errors import UserError
from hwgen.rtl.mac import Mode, facts
from hwgen.simulator.rtl import MemoryModel
from models.netfile import Builder, Network

from .whole import Case, run

__all__ = ["chain", "measured", "swept"]

DEPTH = 3
SHAPES = ((32, 32), (64, 8), (64, 16), (64, 32), (128, 8), (128, 16), (256, 8))
"""Channels and positions in each direction, for the sweep."""

BATCHES = (1, 8)


def chain(mode: Mode, channels: int, size: int, depth: int = DEPTH) -> Network:
    """``depth`` 3x3 convolutions of random weights whose operands have the widths of ``mode``."""
    rng, bits = np.random.default_rng(0), mode.activations
    net = Builder(f"chain {mode}")
    x = net.input((channels, size, size), bits=bits, signed=bits == 1)
    limit = max(1, (1 << mode.weights - 1) - 1)
    for number in range(depth):
        shape = (channels, channels, 3, 3)
        weight = rng.integers(-limit, limit + 1, shape)
        if mode.weights == 1:
            weight = rng.choice([-1, 1], shape)
        full = {"M": 1 << 14, "B": 0, "S": 24}
        x = net.conv(
            f"conv{number}", x, weight, weight_bits=mode.weights, padding=(1,) * 4, full=full
        )
    net.output(x)
    return net.build()


def measured(config: Config, channels: int, size: int, batch: int) -> list[dict]:
    """For each mode: cycles of all layers and of the middle one, and how often fewer than 8x8."""
    rows = []
    for mode in sorted(facts(config).modes, reverse=True):
        found = run(Case.of(chain(mode, channels, size), config, None, batch), MemoryModel())
        middle = next(layer for layer in found["layers"] if layer["layer"] == "conv1")
        rows.append({"mode": str(mode), "cycles": found["cycles"], "middle": middle["cycles"]})
    for row in rows:
        for what in ("cycles", "middle"):
            row[f"{what}_gain"] = rows[0][what] / row[what]
    return rows


def swept(config: Config, shapes=SHAPES, batches=BATCHES, depths=(1, DEPTH)) -> list[dict]:
    """For each number of layers, shape and batch: cycles in each mode of equal widths, or in all if
    there are no such, and how often fewer than in the widest.
    """
    modes = sorted(facts(config).modes, reverse=True)
    modes = [mode for mode in modes if mode.activations == mode.weights] or modes
    rows = []
    for depth, (channels, size), batch in product(depths, shapes, batches):
        cycles = {}
        for mode in modes:
            network = chain(mode, channels, size, depth)
            compiled = compile_network(network, config, batch=batch)
            cycles[str(mode)] = predict(config, compiled.program).cycles
        most = max(cycles.values())
        gains = {mode: most / count for mode, count in cycles.items()}
        shape = {"layers": depth, "channels": channels, "size": size, "batch": batch}
        rows.append({**shape, "cycles": cycles, "gains": gains})
    return rows


def _print_sweep(name: str, rows: list[dict]) -> None:
    modes = list(rows[0]["cycles"])
    heads = ["layers", "channels", "positions", "batch", *modes, *(f"{m} gains" for m in modes[1:])]
    click.echo(f"`{name}`\n\n| " + " | ".join(heads) + " |")
    click.echo("|" + "---:|" * len(heads))
    for row in rows:
        shape = row["layers"], row["channels"], f"{row['size']}×{row['size']}", row["batch"]
        cycles = (f"{row['cycles'][mode]:,}" for mode in modes)
        gains = (f"{row['gains'][mode]:.2f}" for mode in modes[1:])
        click.echo(f"| {' | '.join(map(str, (*shape, *cycles, *gains)))} |")


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--channels", type=click.IntRange(1, 1024), default=64, show_default=True)
@click.option("--size", type=click.IntRange(1, 224), default=16, show_default=True)
@click.option("--sweep", is_flag=True, help="One layer and three, in many shapes and batches.")
@batch_option
@json_option
def main(names, channels, size, sweep, batch, as_json):
    """Cycles of three convolutions in each mode of configurations."""
    import json

    if sweep:
        found = {name: swept(load(name)) for name in names}
        if as_json:
            click.echo(json.dumps(found, indent=2))
            return
        for name, rows in found.items():
            _print_sweep(name, rows)
        return
    found = {name: measured(load(name), channels, size, batch) for name in names}
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo("| configuration | widths | cycles | times fewer | middle layer | times fewer |")
    click.echo("|---|---|---:|---:|---:|---:|")
    for name, rows in found.items():
        for row in rows:
            cycles, middle = f"{row['cycles']:,.0f}", f"{row['middle']:,.0f}"
            gains = f"{row['cycles_gain']:.2f}", f"{row['middle_gain']:.2f}"
            click.echo(
                f"| `{name}` | {row['mode']} | {cycles} | {gains[0]} | {middle} | {gains[1]} |"
            )


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except (UserError, click.UsageError) as error:
        raise SystemExit(f"python -m hwgen.bench.widths: {error}") from None
