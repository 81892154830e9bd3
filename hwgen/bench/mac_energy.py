"""Energy of the parallel unit in standard cells, by what its operands are:
``python -m hwgen.bench.mac_energy --liberty FILE``.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from hwgen.cli._options import FloatRange
from hwgen.console import output
from hwgen.energy.gates import Netlist
from hwgen.errors import UserError

__all__ = ["Use", "fit_lanes", "measure", "random_operands"]

LANES = 8
CYCLES = 24_000
BLOCKS = 24
"""So many vectors are taken of a longer run, in so many parts that lie evenly in it."""

LAGS = 8
"""Cycles for which a vector is in the unit, at most."""

Operands = dict[str, np.ndarray]
"""``i_signed`` (cycle, 1), ``i_activations`` and ``i_weights`` (cycle, lane), bytes."""


@dataclass(frozen=True)
class Use:
    """pJ a product with operands of a kind."""

    name: str
    settled: float
    glitches: float
    clock: float
    zeros: float

    @property
    def dynamic(self) -> float:
        """Without the clock."""
        return self.settled + self.glitches


def random_operands(cycles: int, seed: int = 0) -> Operands:
    """All bytes alike; weights are never -128."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(-127, 128, (cycles, LANES)).astype(np.int8)
    return {
        "i_signed": np.zeros((cycles, 1), np.uint8),
        "i_activations": rng.integers(0, 256, (cycles, LANES), np.uint8),
        "i_weights": weights.view(np.uint8),
    }


def _bits(operands: Operands, netlist: Netlist) -> dict[str, np.ndarray]:
    """Values of the ports: a start in every cycle."""
    cycles = len(operands["i_signed"])
    values = {name: np.zeros((cycles, len(bits)), bool) for name, bits in netlist.inputs.items()}
    values["i_start"][:] = True
    values["i_signed"] = operands["i_signed"].astype(bool)
    for name in ("i_activations", "i_weights"):
        values[name] = np.unpackbits(operands[name], axis=1, bitorder="little").astype(bool)
    return values


def _zero(operands: Operands) -> np.ndarray:
    """Where a lane has an operand that is zero (cycle, lane)."""
    return (operands["i_activations"] == 0) | (operands["i_weights"] == 0)


def spend(netlist: Netlist, operands: Operands):
    """pJ of each cycle, without the first ones, in which the unit fills."""
    spent = netlist.spend(_bits(operands, netlist))
    return spent, slice(LAGS, None)


def use(netlist: Netlist, name: str, operands: Operands) -> Use:
    """The mean of all cycles."""
    spent, steady = spend(netlist, operands)
    return Use(
        name,
        float(spent.settled[steady].mean()) / LANES,
        float(spent.glitches[steady].mean()) / LANES,
        spent.clock / LANES,
        float(_zero(operands).mean()),
    )


def fit_lanes(netlist: Netlist, operands: Operands) -> tuple[float, float]:
    """pJ of a product without and with a zero operand, by least squares over all cycles: what a
    cycle takes is linear in the lanes that have none in this vector and those before.
    """
    spent, _ = spend(netlist, operands)
    lanes = (~_zero(operands)).sum(1)
    rows = len(spent.dynamic) - LAGS
    # Cycle n of what is spent is the step to vector n + 1.
    seen = [lanes[LAGS + 1 - lag : LAGS + 1 - lag + rows] for lag in range(LAGS)]
    matrix = np.stack([np.ones(rows), *seen], axis=1)
    found, *_ = np.linalg.lstsq(matrix, spent.dynamic[LAGS:], rcond=None)
    zero = float(found[0]) / LANES
    return zero + float(found[1:].sum()), zero


def sample(operands: Operands) -> Operands:
    """Of all parts of a run."""
    cycles, each = len(operands["i_signed"]), CYCLES // BLOCKS
    if cycles <= CYCLES:
        return operands
    starts = np.linspace(0, cycles - each, BLOCKS).astype(int)
    rows = (starts[:, None] + np.arange(each)).reshape(-1)
    return {name: values[rows] for name, values in operands.items()}


def measure(netlist: Netlist, real: Operands) -> dict:
    """All uses, and the activity of real data against random data, for the energy model's table."""
    real = sample(real)
    random = random_operands(len(real["i_signed"]))
    nothing = np.zeros_like(real["i_activations"])
    mixed = np.random.default_rng(1).permutation(len(nothing))
    found = [
        use(netlist, "random", random),
        use(netlist, "real", real),
        use(netlist, "real, vectors in random order", {k: v[mixed] for k, v in real.items()}),
        use(netlist, "real weights, activations zero", real | {"i_activations": nothing}),
        use(netlist, "real activations, weights zero", real | {"i_weights": nothing}),
    ]
    present, zero = fit_lanes(netlist, real)
    whole = found[0].dynamic
    return {
        "format": "hwgen-mac-energy",
        "format_version": 1,
        "cells": len(netlist.gates),
        "flip_flops": len(netlist.flip_flops),
        "vectors": len(nothing),
        "pJ_a_product": [asdict(row) for row in found],
        "activity": {"nonzero": present / whole, "zero": zero / whole},
    }


def real_operands(folder: Path, images: int, progress) -> Operands:
    """Of the first engine of a group of ``cgnet8`` with the network that ships."""
    from hwgen.bench.operands import operands_of
    from hwgen.config import load
    from models.images import load_images
    from models.netfile import load as load_network
    from models.reference import prepare, run

    network = load_network(folder / "fashion_small.safetensors")
    inputs = prepare(network, load_images(folder / "fashion_sample.npz").images[:images])
    masks = run(network, inputs, masks=True).masks
    densities = {name: mask.mean((0, 2, 3)) for name, mask in masks.items()}
    reference = load("cgnet8")
    config = reference.override({"array.clusters": 1, "array.engines": reference.array.group})
    return operands_of(network, config, inputs, densities, progress)


@click.command()
@click.option(
    "--liberty",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Liberty file of the standard cells; may be repeated.",
)
@click.option("--frequency", type=FloatRange(1, 5000), default=200.0, show_default=True)
@click.option("--images", type=click.IntRange(1, 128), default=2, show_default=True)
@click.option(
    "--operands",
    type=click.Path(path_type=Path),
    help="Keep them in this .npz file, or take them from it if it is there.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def main(liberty, frequency, images, operands, as_json):
    """Synthesize the unit of eight lanes, let it compute what an engine computes in the generated
    Verilog, and sum what its nets and cells take.
    """
    import models.zoo
    from hwgen.energy.synthesized import netlist_of
    from hwgen.flows.liberty import read_cells
    from hwgen.rtl.mac import ParallelMac
    from hwgen.verilog import emit

    cells = read_cells(liberty)
    with Console(stderr=True).status("…") as status:
        if operands is not None and operands.exists():
            try:
                with np.load(operands, allow_pickle=False) as kept:
                    real = {name: kept[name] for name in random_operands(1)}
            except (OSError, ValueError, KeyError) as error:
                raise UserError(f"OPERANDS: {operands} cannot be read ({error})") from None
        else:
            real = real_operands(Path(models.zoo.__file__).parent, images, status.update)
            if operands is not None:
                np.savez_compressed(operands, **real)
        status.update("Yosys")
        unit = emit(ParallelMac(lanes=LANES), name="unit")
        netlist = netlist_of(unit, "unit", cells, frequency=frequency)
        status.update("gates")
        found = measure(netlist, real)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    table = Table(title=f"pJ a product, {found['cells']} gates, {found['flip_flops']} flip-flops")
    for column in ("operands", "zero", "settled", "glitches", "clock", "all"):
        table.add_column(column, justify="left" if column == "operands" else "right")
    for row in (Use(**row) for row in found["pJ_a_product"]):
        numbers = (row.settled, row.glitches, row.clock, row.dynamic + row.clock)
        table.add_row(row.name, f"{row.zeros:.1%}", *(f"{number:.3f}" for number in numbers))
    activity = found["activity"]
    table.caption = (
        f"against random operands: {activity['nonzero']:.3f} without a zero, "
        f"{activity['zero']:.3f} with one"
    )
    output().print(table)


if __name__ == "__main__":
    from hwgen.cli import main as guarded

    guarded(group=main, name="mac_energy")
