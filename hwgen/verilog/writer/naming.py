"""What things are called in the written module."""

import re

from ..names import Namespace
from .netlist import Netlist

__all__ = ["Naming"]

# What an unnamed value is called when it needs a name after all.
KIND_NAMES = {
    "$add": "sum",
    "$sub": "difference",
    "$mul": "product",
    "$neg": "negative",
    "$not": "inverse",
    "$and": "masked",
    "$or": "merged",
    "$xor": "parity",
    "$mux": "selected",
    "$shl": "shifted",
    "$shr": "shifted",
    "$sshr": "shifted",
    "$shift": "part",
    "$divfloor": "quotient",
    "$modfloor": "remainder",
}


class Naming:
    """Names of ports, signals, submodules and memories.

    Parameters
    ----------
    netlist : Netlist
        The module.
    instance_mark : str
        What names of cells begin with, and lose.
    named : set of str
        Wires that have a name although an expression could take them in.
    """

    def __init__(self, netlist: Netlist, instance_mark: str, named: set[str]):
        self.netlist = netlist
        self.instance_mark = instance_mark
        self.named = named
        self.late: list[str] = []  # got a name on demand
        self.choose_names()

    def choose_names(self) -> None:
        uses = {}
        for spec in self.netlist.all_reads():
            for chunk in spec:
                if chunk.wire:
                    uses[chunk.wire] = uses.get(chunk.wire, 0) + 1
        # A value that narrowing made equal to a named signal is that signal.
        for target, value in self.netlist.module.connections:
            source = self.netlist.whole(value)
            name = target[0].wire
            if source and source.startswith("$") and self.netlist.module.wires[name].port is None:
                if name not in self.netlist.borrowed:
                    self.netlist.own_names.setdefault(source, name)
        self.names = {}
        self.inlinable = {
            wire
            for wire in self.netlist.drivers
            if self.netlist.is_temporary(wire) and uses.get(wire, 0) == 1 and wire not in self.named
        }
        namespace = Namespace()
        for wire in sorted(self.netlist.module.wires.values(), key=lambda wire: wire.port_id):
            if wire.port is not None:
                self.names[wire.name] = namespace.add(self.bare(wire.name))
        self.cell_names = {}
        for cell in self.netlist.instances:
            name = cell.name.removeprefix("\\").removeprefix(self.instance_mark)
            self.cell_names[cell.name] = namespace.add(name)
        self.memory_names = {}
        for identifier, memory in self.netlist.module.memories.items():
            if identifier in self.netlist.live_memories:
                name = memory.name.removeprefix(self.instance_mark)
                self.memory_names[identifier] = namespace.add(name)
        # Names that a user chose go first, so that a derived one never takes them.
        chosen, derived = [], []
        for wire in self.netlist.module.wires:
            if wire in self.names or wire not in self.netlist.alive:
                continue
            own = self.netlist.own_names.get(wire)
            if own is None and not wire.startswith("$") and wire not in self.netlist.borrowed:
                own = wire
            (derived if own is None else chosen).append((wire, own))
        for wire, own in chosen:
            self.names[wire] = namespace.add(self.bare(own))
        outputs = self.instance_outputs()
        for wire, _own in derived:
            if wire not in self.inlinable:
                self.names[wire] = namespace.add(self.derived_name(wire, outputs))
        self.namespace, self.output_names = namespace, outputs

    def instance_outputs(self) -> dict[str, str]:
        """Names for wires that come from a submodule or a memory: the instance's, and the
        port's."""
        names = {}
        for cell in self.netlist.instances:
            for port in cell.outputs:
                for chunk in cell.ports[port]:
                    names[chunk.wire] = f"{self.cell_names[cell.name]}_{port}"
        for cell in self.netlist.reads:
            memory = self.memory_names[cell.parameters["MEMID"]]
            names[cell.ports["DATA"][0].wire] = f"{memory}_data"
        return names

    def derived_name(self, wire: str, outputs: dict[str, str]) -> str:
        if wire in outputs:
            return outputs[wire]
        if wire in self.netlist.borrowed:
            return self.netlist.borrowed[wire]
        if self.netlist.module.wires[wire].width == 1 and wire in self.netlist.drivers:
            return "condition"
        if wire in self.netlist.drivers:
            return KIND_NAMES.get(self.netlist.drivers[wire].kind, "flag")
        return "choice" if wire in self.netlist.processes else "value"

    @staticmethod
    def bare(wire: str) -> str:
        """The name without RTLIL's mark, and without the number that told it from its namesakes."""
        return re.sub(r"\$\d+", "", wire.removeprefix("\\"))

    def name_of(self, wire: str) -> str:
        if wire not in self.names:
            # Its only user could not take it in.
            self.names[wire] = self.namespace.add(self.derived_name(wire, self.output_names))
            self.inlinable.discard(wire)
            self.late.append(wire)
        return self.names[wire]
