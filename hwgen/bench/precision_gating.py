"""What precision gating saves: ``python -m hwgen.bench.precision_gating``, by the cycle model.

Three equal convolutions in a row, gated or not; or the gated layers of a network, with what its
gates decide about images. Work is bits of activations: with B bits, B_hb of
them in the base pass, and a part d of the outputs that fire, B_avg is B_hb + d (B - B_hb), and
B_avg / B of the time of the same network without gates is the ideal.
"""

from pathlib import Path

import click
import numpy as np

from hwgen.cli._images import input_images
from hwgen.cli._options import batch_option, json_option, set_option
from hwgen.config import Config, load
from hwgen.errors import UserError
from hwgen.simulator.rtl import MemoryModel
from models.netfile import Builder, Network
from models.netfile import load as load_network
from models.reference import run as reference

from .masks import generated_masks
from .whole import Case, run, ungated

__all__ = ["gated_chain", "measured", "of_network"]

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
            widths = {"bits": bits, "high_bits": high}
            rows.append(widths | _row(fired, cycles, dense, ideal))
    return rows


def _row(density: float, cycles: float, dense: float, ideal: float) -> dict:
    part = cycles / dense
    told = {"density": density, "dense_cycles": dense, "cycles": cycles}
    return told | {"part": part, "ideal": ideal, "over": part / ideal - 1}


def of_network(network: Network, config: Config, images: np.ndarray) -> list[dict]:
    """The same of each layer of ``network`` with a precision gate, and of all of them together, for
    ``images`` (integers) as one batch.
    """
    layers = [layer for layer in network.gated if layer.gate.kind == "precision"]
    if not layers:
        raise UserError(f"network {network.name}: no layer has a precision gate")
    masks = reference(network, images, masks=True).masks
    cycles = []
    for case in (
        Case.of(network, config, masks, len(images)),
        Case.of(ungated(network), config, None, len(images)),
    ):
        found = run(case, MemoryModel())["layers"]
        cycles.append({one["layer"]: one["cycles"] for one in found})
    gated, dense = cycles
    rows, work = [], np.zeros(2)
    for layer in layers:
        bits, high = network.edge(layer).bits, layer.gate.high_bits
        fired = float(masks[layer.name].mean())
        done = high + (bits - high) * fired
        work += np.array([done, bits]) * layer.macs
        row = _row(fired, gated[layer.name], dense[layer.name], done / bits)
        rows.append({"layer": layer.name, "bits": bits, "high_bits": high} | row)
    sums = [sum(row[key] for row in rows) for key in ("cycles", "dense_cycles")]
    density = float(np.mean([row["density"] for row in rows]))
    return [*rows, {"layer": "all"} | _row(density, *sums, float(work[0] / work[1]))]


@click.command()
@click.argument("net", type=click.Path(path_type=Path), required=False)
@click.argument("images", type=click.Path(path_type=Path), required=False)
@click.option("--config", "name", default="pg43", show_default=True, help="Configuration.")
@set_option
@click.option("--channels", type=click.IntRange(1, 1024), default=64, show_default=True)
@click.option("--size", type=click.IntRange(1, 224), default=28, show_default=True)
@batch_option
@json_option
def main(net, images, name, settings, channels, size, batch, as_json):
    """Cycles of three precision gated convolutions against the same without gates; with NET, of its
    gated layers, for the first images of the file IMAGES.
    """
    import json

    config = load(name, settings)
    if net is None:
        rows = measured(config, channels, size, batch)
    else:
        network = load_network(net)
        rows = of_network(network, config, input_images(network, images, batch)[0])
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    first = "B/B_hb" if net is None else "layer"
    click.echo(f"| {first} | fired | cycles | without gates | part | B_avg/B | more than that |")
    click.echo("|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        widths = f"{row['bits']}/{row['high_bits']}" if "bits" in row else ""
        head = f"{row['layer']} {widths}".strip() if "layer" in row else widths
        click.echo(
            f"| {head} | {row['density']:.0%} | {row['cycles']:,.0f} | "
            f"{row['dense_cycles']:,.0f} | {row['part']:.3f} | {row['ideal']:.3f} | "
            f"{row['over']:.1%} |"
        )


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except (UserError, click.UsageError) as error:
        raise SystemExit(f"python -m hwgen.bench.precision_gating: {error}") from None
