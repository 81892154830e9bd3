"""What a width gains: ``python -m hwgen.bench.widths CONFIG …``, by the cycle model.

Three equal convolutions in a row, in every pair of widths that a configuration has a mode for;
inputs and outputs have the width of the activations. The layer in the middle has neither the first
load nor the last drain in it.
"""

import click
import numpy as np

from hwgen.cli._options import batch_option, json_option
from hwgen.config import Config, load
from hwgen.errors import UserError
from hwgen.rtl.mac import Mode, facts
from hwgen.simulator.rtl import MemoryModel
from models.netfile import Builder, Network

from .whole import Case, run

__all__ = ["chain", "measured"]

DEPTH = 3


def chain(mode: Mode, channels: int, size: int) -> Network:
    """``DEPTH`` 3x3 convolutions of random weights whose operands have the widths of ``mode``."""
    rng, bits = np.random.default_rng(0), mode.activations
    net = Builder(f"chain {mode}")
    x = net.input((channels, size, size), bits=bits, signed=bits == 1)
    limit = max(1, (1 << mode.weights - 1) - 1)
    for number in range(DEPTH):
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


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--channels", type=click.IntRange(1, 1024), default=64, show_default=True)
@click.option("--size", type=click.IntRange(1, 224), default=16, show_default=True)
@batch_option
@json_option
def main(names, channels, size, batch, as_json):
    """Cycles of three convolutions in each mode of configurations."""
    import json

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
