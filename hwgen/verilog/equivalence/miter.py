"""The proof itself: two designs without state, side by side."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..yosys import run_yosys
from .cut import Cut, Point, quoted, signal

__all__ = ["Equivalence", "NotEquivalent", "prove"]

# Most pairs are equal gate for gate. ABC finds what else is equal by simulation and proves it, from
# the inputs on, so that a solver never has to go through what is known; the last word is Yosys's.
_SCRIPT = """
read_rtlil miter.il
opt_expr
opt_merge
opt_clean
techmap
opt_clean
abc -script +strash;ifraig;strash
opt_clean
equiv_simple
equiv_status
"""

# How many of what is not proved a message names.
_NAMED = 20


class NotEquivalent(AssertionError):
    """The emitted Verilog and Amaranth's output differ, or Yosys could not prove that they do
    not."""


@dataclass(frozen=True)
class Equivalence:
    """What was proved: so many points (bits of ports, of what registers take next, of pins of
    memories and black boxes) are equal, among them so many of registers."""

    points: int
    registers: int
    memories: int


def prove(gold: Cut, gate: Cut, progress: Callable[[str], None] = lambda step: None) -> Equivalence:
    """Prove that both sides put out and store the same.

    Register bits that only one side has are taken for anything.

    Raises
    ------
    NotEquivalent
        With the names of points that are not proved, or of what only one side has.
    """
    _compare("memories or black boxes", gold.facts, gate.facts)
    _compare("outputs", dict.fromkeys(gold.outputs, True), dict.fromkeys(gate.outputs, True))
    registers = gold.following.keys() & gate.following.keys()
    _compare(
        "clocks of registers",
        {point: gold.clocks[point] for point in registers},
        {point: gate.clocks[point] for point in registers},
    )
    pairs = {point: (gold.outputs[point], gate.outputs[point]) for point in gold.outputs}
    pairs |= {
        (f"{name}:next", bit): (gold.following[name, bit], gate.following[name, bit])
        for name, bit in sorted(registers)
    }
    progress(f"comparing {len(pairs)} points")
    log = run_yosys(_SCRIPT, {"miter.il": _miter(gold, gate, pairs)})["log"]
    unproven = re.findall(r"Unproven \$equiv \\?(\S+):", log)
    if unproven:
        raise NotEquivalent(
            f"{len(unproven)} of {len(pairs)} points are not proved equal: {_some(unproven)}"
        )
    return Equivalence(len(pairs), len(registers), len(gold.facts))


def _compare(what: str, gold: dict, gate: dict) -> None:
    differing = {key for key in gold.keys() | gate.keys() if gold.get(key) != gate.get(key)}
    if differing:
        names = sorted({key if isinstance(key, str) else key[0] for key in differing})
        raise NotEquivalent(f"{len(names)} {what} are not proved equal: {_some(names)}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _miter(gold: Cut, gate: Cut, pairs: dict[Point, tuple]) -> str:
    """RTLIL of both, with an ``$equiv`` cell for each pair."""
    widths = dict(gold.inputs)
    for name, width in gate.inputs.items():
        widths[name] = max(width, widths.get(name, 0))
    lines = ["module \\miter"]
    for index, (name, width) in enumerate(widths.items(), start=1):
        lines.append(f"wire width {width} input {index} {quoted(name)}")
    lines += gold.text + gate.text
    index = len(widths)
    for (name, bit), (first, second) in pairs.items():
        index += 1
        point = quoted(f"{name}[{bit}]")
        lines += [
            f"wire output {index} {point}:proved",
            f"cell $equiv {point}",
            f"connect \\A {signal([first])}",
            f"connect \\B {signal([second])}",
            f"connect \\Y {point}:proved",
            "end",
        ]
    return "\n".join([*lines, "end", ""])
