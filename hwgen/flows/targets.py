"""What can be synthesized for, and what the cells of each target count as."""

import re
from dataclasses import dataclass
from functools import cached_property

from hwgen.errors import UserError
from hwgen.flows.primitives import named

__all__ = ["RESOURCES", "TARGETS", "Target", "target_named"]

RESOURCES = {
    "lut": "LUTs",
    "ff": "flip-flops",
    "dsp": "DSPs",
    "bram": "block RAM",
    "lutram": "LUT RAM",
    "cells": "cells",
    "area": "µm²",
    "memory_area": "µm² of macros",
}
"""Every resource that a report may count, and its title in tables."""


@dataclass(frozen=True)
class Target:
    """A technology: how Yosys is told to synthesize for it, and how its cells are counted.

    Attributes
    ----------
    name : str
        What the user types.
    title : str
        What the figures mean, in one line.
    script : str
        Yosys commands after the Verilog has been read; ``{top}`` is the top module.
    weights : dict
        For each resource, pairs of a pattern of cell names and how many units such a cell is.
    """

    name: str
    title: str
    script: str
    weights: dict[str, tuple[tuple[str, float], ...]]

    @property
    def resources(self) -> tuple[str, ...]:
        """The resources that a report for this target has."""
        return tuple(self.weights) if self.weights else ("cells", "ff", "area", "memory_area")

    @cached_property
    def _patterns(self) -> list[tuple[str, re.Pattern, float]]:
        return [
            (resource, re.compile(pattern), weight)
            for resource, pairs in self.weights.items()
            for pattern, weight in pairs
        ]

    def count(self, cell: str) -> dict[str, float]:
        """What one cell of this type adds to each resource: nothing for carries, muxes and pads."""
        return {
            resource: weight
            for resource, pattern, weight in self._patterns
            if pattern.fullmatch(cell)
        }


# The hierarchy is kept everywhere: each module is synthesized once however often it stands in the
# design, and every cell belongs to a block. What is lost is optimization across the ports of
# modules, in both designs of a comparison.
TARGETS = {
    target.name: target
    for target in (
        Target(
            "ecp5",
            "Lattice ECP5: LUT4 (a CCU2C is two), MULT18X18D, DP16KD of 18 kbit, "
            "LUTs that are RAM (4 in each 16x4)",
            # A module that names a primitive must not be read again when the library comes.
            "setattr -unset reprocess_after t:MULT18X18D\nsynth_ecp5 -noflatten -top {top}",
            {
                "lut": (("LUT4", 1), ("CCU2C", 2)),
                "ff": (("TRELLIS_FF", 1),),
                "dsp": (("MULT18X18D", 1),),
                "bram": (("DP16KD|PDPW16KD", 1),),
                "lutram": (("TRELLIS_DPR16X4", 4),),
            },
        ),
        Target(
            "ice40",
            "Lattice iCE40 UltraPlus: LUT4, SB_MAC16, SB_RAM40 of 4 kbit; there is no LUT RAM",
            "\n".join(["synth_ice40 -device u -dsp -noflatten -top {top}", *named("ice40")]),
            {
                "lut": (("SB_LUT4", 1),),
                "ff": (("SB_DFF.*", 1),),
                "dsp": (("SB_MAC16", 1),),
                "bram": (("SB_RAM40_4K.*", 1),),
                "lutram": (),
            },
        ),
        Target(
            "gowin",
            "Gowin GW2A: LUT4 (an ALU is one), MULT18X18 (a MULT9X9 is half), blocks of 18 kbit, "
            "LUTs that are RAM (4 in each 16x4)",
            "synth_gowin -family gw2a -noiopads -noflatten -top {top}",
            {
                "lut": (("LUT[1-4]|ALU", 1), ("LUT5", 2), ("LUT6", 4), ("LUT7", 8), ("LUT8", 16)),
                "ff": (("DFF.*", 1),),
                "dsp": (("MULT9X9", 0.5), ("MULT18X18", 1), ("MULT36X36", 4)),
                "bram": (("SDPB|SDPX9B|DPB|DPX9B|SP|SPX9", 1),),
                "lutram": (("RAM16SDP4|RAM16S4", 4), ("RAM16SDP2|RAM16S2", 2), ("RAM16.*1", 1)),
            },
        ),
        Target(
            "xilinx",
            "Xilinx 7 series: LUT6, DSP48E1, blocks of 18 kbit (a RAMB36E1 is two), "
            "LUTs that are RAM",
            "synth_xilinx -family xc7 -noiopad -noclkbuf -top {top}",
            {
                "lut": (("LUT[1-6]|INV", 1),),
                "ff": (("FD[RSCP]E(_1)?", 1),),
                "dsp": (("DSP48E1", 1),),
                "bram": (("RAMB18E1", 1), ("RAMB36E1", 2)),
                "lutram": (
                    ("RAM(32|64)X1S|SRL16E|SRLC32E", 1),
                    ("RAM(32|64)X1D", 2),
                    ("RAM(32|64)M|RAM128X1D", 4),
                ),
            },
        ),
        Target(
            "asic",
            "standard cells of a Liberty file, and SRAM macros; areas in µm² before placement",
            "synth -top {top} -run begin:fine\n"
            "opt -fast -full\n"
            "memory_map\n"
            "opt -undriven -fine\n"
            "techmap\n"
            "opt -fast\n"
            "dfflibmap {liberty}\n"
            "abc {liberty}\n"
            "opt_clean -purge",
            {},
        ),
    )
}


def target_named(name: str) -> Target:
    """The target, or a UserError that lists them."""
    if name not in TARGETS:
        raise UserError(f"TARGET: must be one of {', '.join(TARGETS)}, not {name!r}")
    return TARGETS[name]
