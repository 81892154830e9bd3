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

# What is compared in one run. Points next to each other, in the order of their names, lie in one
# block and share their logic; more at once would take more memory and hardly less time.
_AT_ONCE = 8192

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
    points = sorted(pairs)
    unproven = []
    for start in range(0, len(points), _AT_ONCE):
        progress(f"proving point {start:,} of {len(points):,}")
        some = {point: pairs[point] for point in points[start : start + _AT_ONCE]}
        log = run_yosys(_SCRIPT, {"miter.il": _miter(gold, gate, some)})["log"]
        unproven += re.findall(r"Unproven \$equiv \\?(\S+):", log)
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
    """RTLIL of the cones of some points on both sides, with an ``$equiv`` cell for each pair."""
    widths: dict[str, int] = {}
    wires, cells = [], []
    for cut, ends in zip((gold, gate), zip(*pairs.values(), strict=True), strict=True):
        inputs, logic = cut.cone(ends)
        for name in sorted(inputs):
            widths[name] = max(cut.inputs[name], widths.get(name, 0))
        wires += [f"wire width {cut.logic[name].width} {name}" for name in logic]
        cells += [cut.logic[name].text for name in logic]
    lines = ["module \\miter"]
    for index, (name, width) in enumerate(widths.items(), start=1):
        lines.append(f"wire width {width} input {index} {quoted(name)}")
    lines += wires + cells
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
