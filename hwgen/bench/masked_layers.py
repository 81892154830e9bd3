"""Gated layers alone with masks of a file, beside made-up ones: ``python -m
hwgen.bench.masked_layers MASKS.npz``.
"""

from pathlib import Path

import click
import numpy as np

from hwgen.cli._options import batch_option
from hwgen.config import load
from hwgen.errors import UserError
from hwgen.simulator.rtl import MemoryModel
from models.netfile import Network

from .masks import lumpy
from .networks import gated_layer
from .whole import Case, run

__all__ = ["main", "reached"]

LATENCY = 20


def reached(network: Network, mask: np.ndarray) -> float:
    """The cycles that the products need at least over those of ``network``, a gated layer, on
    ``cgnet8``: first load and last store included.
    """
    case = Case.of(network, load("cgnet8"), {network.gated[0].name: mask}, len(mask))
    return run(case, MemoryModel(LATENCY))["utilization"]


@click.command()
@click.argument("masks", type=click.Path(path_type=Path))
@batch_option
def main(masks, batch):
    """Part of the ideal that 3x3 convolutions reach with the decisions of MASKS, with lumpy ones of
    the same density, and with independent ones.

    MASKS is an .npz file: of each layer an array (image, channel, row, column).
    """
    try:
        with np.load(masks, allow_pickle=False) as file:
            layers = {name: file[name][:batch].astype(bool) for name in file.files}
    except (OSError, ValueError) as error:
        raise UserError(f"MASKS: {masks} must be an .npz file of masks ({error})") from None
    for name, real in layers.items():
        if real.ndim != 4 or real.shape[1] % 8:
            raise UserError(f"MASKS: {name} must be (image, 8n channels, row, column), not "
                            f"{real.shape}")  # fmt: skip
    click.echo("| layer | density | real | generated | independent |\n|---|---:|---:|---:|---:|")
    rows = []
    for number, (name, real) in enumerate(layers.items()):
        rng = np.random.default_rng(number)
        made = lumpy(real.shape, real.mean(), rng), rng.random(real.shape) < real.mean()
        network = gated_layer(real.shape[1], real.shape[2:])
        rows.append([reached(network, mask) for mask in (real, *made)])
        shape = f"{name}: {real.shape[1]} channels, {real.shape[2]}x{real.shape[3]}"
        click.echo(
            f"| {shape} | {real.mean():.3f} | " + " | ".join(f"{r:.3f}" for r in rows[-1]) + " |"
        )
    click.echo("| mean | | " + " | ".join(f"{mean:.3f}" for mean in np.mean(rows, 0)) + " |")


if __name__ == "__main__":
    from hwgen.cli import main as guarded

    guarded(group=main, name="masked_layers")
