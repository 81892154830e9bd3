"""Binding memories to SRAM macros: how many of which, and when flip-flops are smaller."""

import math
import re
from dataclasses import dataclass

from hwgen.flows.liberty import SramMacro
from hwgen.memory import MemoryUse

__all__ = ["Tiling", "memory_library", "smallest_tiling"]


UNITS = "".join(
    f"{setting};\n"
    for setting in (
        "delay_model : table_lookup",
        'time_unit : "1ns"',
        'voltage_unit : "1V"',
        'current_unit : "1mA"',
        'pulling_resistance_unit : "1kohm"',
        'leakage_power_unit : "1nW"',
        "capacitive_load_unit (1,pf)",
        *(f"input_threshold_pct_{edge} : 50" for edge in ("rise", "fall")),
        *(f"output_threshold_pct_{edge} : 50" for edge in ("rise", "fall")),
        *(f"slew_lower_threshold_pct_{edge} : 20" for edge in ("rise", "fall")),
        *(f"slew_upper_threshold_pct_{edge} : 80" for edge in ("rise", "fall")),
    )
)


@dataclass(frozen=True)
class Tiling:
    """A memory made of ``rows`` times ``columns`` macros of one kind."""

    macro: SramMacro
    rows: int
    columns: int

    @property
    def area(self) -> float:
        """Of the macros; the multiplexer between rows is not counted."""
        return self.macro.area * self.rows * self.columns

    def __str__(self) -> str:
        macro = self.macro
        return f"{self.rows * self.columns} x {macro.words}x{macro.bits}"


def smallest_tiling(use: MemoryUse, macros: tuple[SramMacro, ...]) -> Tiling | None:
    """The tiling with the least area, or None if no macro can be this memory.

    A macro of one port cannot serve a memory that is read and written in the same cycle; no macro
    can serve one that is read asynchronously.
    """
    if use.asynchronous:
        return None
    tilings = [
        Tiling(macro, math.ceil(use.depth / macro.words), math.ceil(use.width / macro.bits))
        for macro in macros
        if macro.two_ports or use.single_port
    ]
    return min(tilings, key=lambda tiling: (tiling.area, tiling.macro), default=None)


def memory_library(memories: dict[str, tuple[str, Tiling | None]]) -> str:
    """A Liberty file (ns, pF) by which a timing analyser knows memories that stay black boxes.

    Parameters
    ----------
    memories
        For each module name its Verilog up to the end of the ports, and its macros; a memory
        without answers at once.
    """
    ports = {
        name: re.findall(r"(input|output)\s+(?:wire|reg)\s+(?:\[(\d+):0\]\s*)?(\w+)", header)
        for name, (header, _tiling) in memories.items()
    }
    widths = sorted({int(high) + 1 for found in ports.values() for _, high, _ in found if high})
    groups = [
        f"type (b{width}) {{ base_type : array; data_type : bit; bit_width : {width}; "
        f"bit_from : {width - 1}; bit_to : 0; downto : true; }}"
        for width in widths
    ]
    for name, (_header, tiling) in memories.items():
        access, setup = (tiling.macro.access, tiling.macro.setup) if tiling else (0.0, 0.0)
        pins = "\n".join(_pin(*port, access, setup) for port in ports[name])
        groups.append(f"cell ({name}) {{\n{pins}\n}}")
    body = "\n".join(groups)
    return f"library (memories) {{\n{UNITS}{body}\n}}\n"


def _pin(direction: str, high: str, name: str, access: float, setup: float) -> str:
    kind, shape = ("bus", f"bus_type : b{int(high) + 1}; ") if high else ("pin", "")
    if name == "clk":
        return "pin (clk) { direction : input; clock : true; capacitance : 0; }"
    if direction == "input":
        arc = "setup_rising", "rise_constraint", "fall_constraint", setup
    else:
        arc = "rising_edge", "cell_rise", "cell_fall", access
    tables = "".join(f' {table} (scalar) {{ values ("{arc[3]}"); }}' for table in arc[1:3])
    if direction == "output":
        tables += "".join(
            f' {table} (scalar) {{ values ("0"); }}'
            for table in ("rise_transition", "fall_transition")
        )
    timing = f'timing () {{ related_pin : "clk"; timing_type : {arc[0]};{tables} }}'
    return f"{kind} ({name}) {{ {shape}direction : {direction}; capacitance : 0; {timing} }}"
