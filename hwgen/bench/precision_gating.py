"""What precision gating saves: ``python -m hwgen.bench.precision_gating``, by the cycle model.

Three equal convolutions in a row, gated or not. Work is bits of activations: with B bits, B_hb of
them in the base pass, and a part d of the outputs that fire, B_avg is B_hb + d (B - B_hb), and
B_avg / B of the time of the same network without gates is the ideal.
"""

import click
import numpy as np

from hwgen.cli._options import batch_option, json_option, set_option
from hwgen.config import Config, load
from hwgen.errors import UserError
from hwgen.simulator.rtl import MemoryModel
from models.netfile import Builder, Network

from .masks import generated_masks
from .whole import Case, run

__all__ = ["gated_chain", "measured"]

PAIRS = ((4, 3), (3, 2), (5, 3), (6, 4), (8, 4))
DENSITIES = (0.1, 0.25, 0.5)
DEPTH = 3


def gated_chain(bits: int, high_bits: int, channels: int, size: int) -> Network:
    """``DEPTH`` 3x3 convolutions of weights of four bits, each with a precision gate."""
    rng = np.random.default_rng(0)
    net = Builder(f"gated {bits}/{high_bits}")
    x = net.input((channels, size, size), bits=bits)
    full = {"M": 1 << 14, "B": 0, "S": 20}
    for number in range(DEPTH):
        weight = rng.integers(-7, 8, (channels, channels, 3, 3))
        gate = {"kind": "precision", "high_bits": high_bits, "theta": 0, "base": full}
        x = net.conv(
            f"conv{number}", x, weight, weight_bits=4, padding=(1,) * 4, full=full, gate=gate
        )
    net.output(x)
    return net.build()


def measured(
    config: Config, channels: int, size: int, batch: int, pairs=PAIRS, densities=DENSITIES
) -> list[dict]:
    """For each pair of widths and density: cycles, and their part of the ungated ones."""
    rows = []
    for bits, high in pairs:
        network = gated_chain(bits, high, channels, size)
        dense = run(Case.of(network, config, None, batch), MemoryModel())["cycles"]
        for density in densities:
            masks = generated_masks(network, density, batch)
            fired = float(np.mean([mask.mean() for mask in masks.values()]))
            cycles = run(Case.of(network, config, masks, batch), MemoryModel())["cycles"]
            ideal = (high + (bits - high) * fired) / bits
            rows.append(
                {
                    "bits": bits,
                    "high_bits": high,
                    "density": fired,
                    "dense_cycles": dense,
                    "cycles": cycles,
                    "part": cycles / dense,
                    "ideal": ideal,
                    "over": cycles / dense / ideal - 1,
                }
            )
    return rows


@click.command()
@click.option("--config", "name", default="pg43", show_default=True, help="Configuration.")
@set_option
@click.option("--channels", type=click.IntRange(1, 1024), default=64, show_default=True)
@click.option("--size", type=click.IntRange(1, 224), default=28, show_default=True)
@batch_option
@json_option
def main(name, settings, channels, size, batch, as_json):
    """Cycles of three precision gated convolutions against the same without gates."""
    import json

    rows = measured(load(name, settings), channels, size, batch)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo("| B/B_hb | fired | cycles | without gates | part | B_avg/B | more than that |")
    click.echo("|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        click.echo(
            f"| {row['bits']}/{row['high_bits']} | {row['density']:.0%} | {row['cycles']:,.0f} | "
            f"{row['dense_cycles']:,.0f} | {row['part']:.3f} | {row['ideal']:.3f} | "
            f"{row['over']:.1%} |"
        )


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except (UserError, click.UsageError) as error:
        raise SystemExit(f"python -m hwgen.bench.precision_gating: {error}") from None
