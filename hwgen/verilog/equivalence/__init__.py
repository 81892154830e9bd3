"""Proof that the emitted file does what Amaranth's own output does.

Both are flattened by Yosys. Registers, memories and black boxes are paired by their place in the
hierarchy and their name, which the emitter knows, and the designs are cut there: whatever the
registers hold, both must put out the same, and both must store the same. A wrong pairing can only
make the proof fail, never succeed.
"""

from collections.abc import Callable

from amaranth.lib import wiring

from ...memory import EmissionTarget
from ..emit import assemble, write_modules
from ..split import split
from .cut import Cut
from .flatten import Boxes, flatten_amaranth, flatten_emitted
from .miter import Equivalence, NotEquivalent, prove
from .pairing import Pairing

__all__ = ["Equivalence", "NotEquivalent", "check_equivalence"]


def check_equivalence(
    component: wiring.Component,
    *,
    name: str = "top",
    text: str | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Equivalence:
    """Prove with Yosys that the deduplicated Verilog of ``component`` equals Amaranth's output.

    Parameters
    ----------
    component : wiring.Component
        The design; it is elaborated once, for both sides.
    name : str
        Name of the top module.
    text : str, optional
        Verilog to check instead of what :func:`emit` makes of the component, for one that was
        written to a file.
    progress : callable
        Called with a few words before each step.

    Raises
    ------
    NotEquivalent
        If any point is not proved.
    """
    progress("building")
    hierarchy = split(component, name=name, platform=EmissionTarget())
    written = write_modules(hierarchy)
    verilog = assemble(hierarchy, written) if text is None else text
    boxes = Boxes(hierarchy.fragment)
    pairing = Pairing(hierarchy, written)
    progress("flattening Amaranth's output")
    gold = flatten_amaranth(hierarchy)
    gold = Cut("gold", gold, pairing.gold_registers, pairing.gold_cells, boxes.outputs)
    progress("flattening the emitted file")
    gate = flatten_emitted(verilog, boxes, hierarchy.top.name)
    gate = Cut("gate", gate, pairing.gate_registers, pairing.gate_cells, boxes.outputs)
    return prove(gold, gate, progress)
