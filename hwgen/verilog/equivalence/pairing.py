"""What keeps a value, by its name on both sides."""

from ..split import Hierarchy, Occurrence
from ..writer import Written
from .cut import Register
from .flatten import NAMELESS

__all__ = ["Pairing"]


class Pairing:
    """The registers, memories and black boxes of a design; what a thing is called in the emitted
    file is its name in the proof.

    Members
    -------
    gold_registers, gate_registers : list of Register
        In Amaranth's output, and in the emitted file.
    gold_cells, gate_cells : dict of str to str
        Memories and black boxes.
    """

    def __init__(self, hierarchy: Hierarchy, written: dict[str, Written]):
        self.gold_registers: list[Register] = []
        self.gate_registers: list[Register] = []
        self.gold_cells: dict[str, str] = {}
        self.gate_cells: dict[str, str] = {}
        self._written = written
        self._visit(hierarchy.root, (), ())

    def _visit(self, occurrence: Occurrence, amaranth_path: tuple, path: tuple) -> None:
        module = self._written[occurrence.key]
        for name, amaranth_name in occurrence.registers.items():
            if amaranth_name.startswith("$"):
                amaranth_name = NAMELESS + amaranth_name
            low = 0
            for chunk in module.signals.get(name, ()):
                if chunk.wire is not None:
                    gold = ".".join((*amaranth_path, amaranth_name))
                    gate = ".".join((*path, chunk.wire))
                    point = (gate, chunk.low)
                    self.gold_registers.append(Register(gold, low, chunk.width, point))
                    self.gate_registers.append(Register(gate, chunk.low, chunk.width, point))
                low += chunk.width
        for name, amaranth_name in occurrence.leaves.items():
            if name in module.cells:
                common = ".".join((*path, module.cells[name]))
                self.gold_cells[".".join((*amaranth_path, amaranth_name))] = common
                self.gate_cells[common] = common
        for child in occurrence.children:
            self._visit(
                child,
                (*amaranth_path, child.amaranth_name),
                (*path, module.cells[child.name]),
            )
