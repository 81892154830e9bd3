"""A flat design cut at its registers, memories and black boxes: what is left has no state."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .nets import ONE, UNKNOWN, ZERO, Cell, Nets, bits_of

__all__ = ["Cut", "Point", "Register", "quoted", "signal"]

Point = tuple[str, int]
"""A bit of a signal, by the name that it has on both sides."""

_FLIP_FLOPS = {"$dff", "$adff"}

# Pins of a memory whose read ports are asynchronous, by which it is observed.
_MEMORY_PINS = ("RD_ADDR", "WR_ADDR", "WR_EN", "WR_CLK")

# What must be equal of two memories besides their pins.
_MEMORY_FACTS = (
    "RD_PORTS",
    "WR_PORTS",
    "ABITS",
    "WIDTH",
    "SIZE",
    "OFFSET",
    "INIT",
    "RD_CLK_ENABLE",
    "WR_CLK_ENABLE",
    "WR_CLK_POLARITY",
    "WR_PRIORITY_MASK",
)


@dataclass(frozen=True)
class Register:
    """``width`` bits of a wire from bit ``low`` on, and the point that the lowest of them is."""

    wire: str
    low: int
    width: int
    point: Point


@dataclass(frozen=True)
class Logic:
    """An operator: how wide its result is, the signals that it depends on, and its RTLIL."""

    width: int
    sources: frozenset[str]
    text: str


class Cut:
    """One side of the proof.

    Parameters
    ----------
    side : str
        A word in the names of what only this side has.
    nets : Nets
        The flat design.
    registers : iterable of Register
        The bits that keep a value, as far as they are known by name.
    cells : mapping of str to str
        For each memory and black box its name on both sides.
    box_outputs : mapping of str to set of str
        Which pins of a black box are outputs, by its type.

    Members
    -------
    inputs : dict of str to int
        Width of each signal that this side takes as given: ports, registers, what memories and
        black boxes put out.
    outputs : dict of Point to Point or bool
        Where the value comes from of each bit of a port, and of each pin of a memory or black box.
    following : dict of Point to Point or bool
        Where the next value of each register bit comes from.
    clocks : dict of Point to str
        How each register bit is clocked.
    facts : dict of str to str
        What must be equal besides: sizes and contents of memories, parameters of black boxes.
    logic : dict of str to Logic
        The operators between them, by the name of what they put out.
    """

    def __init__(
        self,
        side: str,
        nets: Nets,
        registers: Iterable[Register],
        cells: Mapping[str, str],
        box_outputs: Mapping[str, set[str]],
    ):
        self._side = side
        self._nets = nets
        self._cells = cells
        self._box_outputs = box_outputs
        self.inputs: dict[str, int] = {}
        self.clocks: dict[Point, str] = {}
        self.facts: dict[str, str] = {}
        self._private_names = 0
        self._sources: dict[int, Point] = {}
        self._outputs: dict[Point, int] = {}
        self._following: dict[Point, int] = {}
        self._logic: list[tuple[str, Cell]] = []
        self._cut_ports()
        self._cut_registers(registers)
        for cell in nets.cells:
            self._cut_cell(cell)
        self.logic = {name: self._operator(name, cell) for name, cell in self._logic}
        self.outputs = {point: self._source(net) for point, net in self._outputs.items()}
        self.following = {point: self._source(net) for point, net in self._following.items()}

    def _take(self, name: str, low: int, nets: list[int]) -> None:
        """Some bits of an input."""
        self.inputs[name] = max(self.inputs.get(name, 0), low + len(nets))
        for bit, net in enumerate(nets, start=low):
            self._sources.setdefault(net, (name, bit))

    def _give(self, name: str, nets: list[int]) -> None:
        """An output."""
        self._outputs |= {(name, bit): net for bit, net in enumerate(nets)}

    def _cut_ports(self) -> None:
        for name, direction in self._nets.ports.items():
            if direction == "input":
                self._take(name, 0, self._nets.wire(name))
            else:
                self._give(f"{name}:port", self._nets.wire(name))

    def _cut_registers(self, registers: Iterable[Register]) -> None:
        flip_flops = {
            net: (cell, bit)
            for cell in self._nets.cells
            if cell.kind in _FLIP_FLOPS
            for bit, net in enumerate(cell.pins["Q"])
        }
        for register in registers:
            wire = self._nets.wires.get(register.wire, ())
            name, low = register.point
            for offset in range(register.width):
                if register.low + offset >= len(wire):
                    break
                net = self._nets.find(wire[register.low + offset])
                if net in self._sources or net not in flip_flops:
                    # Another name of a register that is known already, or none.
                    continue
                cell, bit = flip_flops[net]
                self._take(name, low + offset, [net])
                self._following[name, low + offset] = cell.pins["D"][bit]
                self.clocks[name, low + offset] = self._clock(name, cell, bit)
        for net in flip_flops.keys() - self._sources.keys():
            self._take(self._private("register"), 0, [net])

    def _clock(self, name: str, cell: Cell, bit: int) -> str:
        """How a bit of a register is clocked; clocks and resets that are logic become outputs."""
        words = [cell.kind]
        for pin in sorted(cell.pins.keys() - {"D", "Q"}):
            source = self._sources.get(cell.pins[pin][0])
            if source is None:
                self._give(f"{name}:{pin}", cell.pins[pin])
            words.append(f"{pin} {source}")
        for key, value in sorted(cell.parameters.items()):
            if key == "ARST_VALUE":
                words.append(f"{key} {bits_of(value)[bit]}")
            elif key != "WIDTH":
                words.append(f"{key} {_number(value)}")
        return ", ".join(words)

    def _cut_cell(self, cell: Cell) -> None:
        if cell.kind in _FLIP_FLOPS:
            return
        if cell.kind == "$mem_v2":
            self._cut_memory(self._cells.get(cell.name, cell.name), cell)
        elif not cell.kind.startswith("$"):
            self._cut_box(self._cells.get(cell.name, cell.name), cell)
        else:
            self._keep(cell)

    def _cut_memory(self, name: str, cell: Cell) -> None:
        facts = {key: _number(cell.parameters[key]) for key in _MEMORY_FACTS}
        if set(cell.parameters["INIT"].partition("'")[2]) <= set("0x"):
            # The emitted file leaves memories of zeros without contents.
            facts["INIT"] = "x"
        self.facts[name] = str(facts)
        self._take(f"{name}.RD_DATA", 0, cell.pins["RD_DATA"])
        for pin in _MEMORY_PINS:
            self._give(f"{name}.{pin}", cell.pins[pin])
        # Bits that are not written need not be equal.
        width = str(len(cell.pins["WR_EN"]))
        gate = Cell("$and", "", {"A_SIGNED": "0", "B_SIGNED": "0"})
        gate.parameters |= {"A_WIDTH": width, "B_WIDTH": width, "Y_WIDTH": width}
        gate.pins = {"A": cell.pins["WR_DATA"], "B": cell.pins["WR_EN"]}
        gate.pins["Y"] = self._nets.add(int(width))
        self._keep(gate)
        self._give(f"{name}.WR_DATA", gate.pins["Y"])

    def _cut_box(self, name: str, cell: Cell) -> None:
        parameters = {key: _number(value) for key, value in cell.parameters.items()}
        self.facts[name] = f"{cell.kind} {sorted(parameters.items())}"
        for pin, nets in cell.pins.items():
            if pin in self._box_outputs[cell.kind]:
                self._take(f"{name}.{pin}", 0, nets)
            else:
                self._give(f"{name}.{pin}", nets)

    def _keep(self, cell: Cell) -> None:
        """Logic that stays."""
        name = self._private("logic")
        for bit, net in enumerate(cell.pins["Y"]):
            if net in self._sources or net <= UNKNOWN:
                raise ValueError(f"{cell.kind} {cell.name} drives what is driven already")
            self._sources[net] = (name, bit)
        self._logic.append((name, cell))

    def _private(self, word: str) -> str:
        """A name that the other side does not have."""
        self._private_names += 1
        return f"${self._side}.{word}{self._private_names}"

    def _source(self, net: int) -> Point | bool:
        """Where the value of a net comes from. What is unknown may be anything, and differs from
        whatever is unknown elsewhere."""
        if net in (ZERO, ONE):
            return net == ONE
        if net in self._sources:
            return self._sources[net]
        point = (self._private("unknown"), 0)
        self.inputs[point[0]] = 1
        if net != UNKNOWN:
            self._sources[net] = point
        return point

    def _operator(self, name: str, cell: Cell) -> Logic:
        lines = [f"cell {cell.kind} {name}.cell"]
        lines += [f"parameter \\{key} {value}" for key, value in cell.parameters.items()]
        sources = set()
        for pin, nets in cell.pins.items():
            if pin != "Y":
                points = [self._source(net) for net in nets]
                sources.update(point[0] for point in points if not isinstance(point, bool))
                lines.append(f"connect \\{pin} {signal(points)}")
        lines += [f"connect \\Y {name}", "end"]
        return Logic(len(cell.pins["Y"]), frozenset(sources), "\n".join(lines))

    def cone(self, points: Iterable[Point | bool]) -> tuple[set[str], list[str]]:
        """What some points depend on: inputs, and names of logic."""
        inputs, logic = set(), {}
        waiting = [point[0] for point in points if not isinstance(point, bool)]
        while waiting:
            name = waiting.pop()
            if name in logic:
                continue
            if name in self.logic:
                logic[name] = None
                waiting.extend(self.logic[name].sources)
            else:
                inputs.add(name)
        return inputs, list(logic)


def quoted(name: str) -> str:
    """A name as RTLIL has it."""
    return name if name.startswith("$") else f"\\{name}"


def signal(points: Iterable[Point | bool]) -> str:
    """RTLIL of a signal of such bits, the lowest first."""
    pieces: list[list] = []
    for point in points:
        last = pieces[-1] if pieces else [None]
        if isinstance(point, bool):
            if last[0] is bool:
                last[1] = f"{point:d}{last[1]}"
            else:
                pieces.append([bool, f"{point:d}"])
        elif last[0] == point[0] and last[2] + 1 == point[1]:
            last[2] = point[1]
        else:
            pieces.append([point[0], point[1], point[1]])
    words = [
        f"{len(piece[1])}'{piece[1]}"
        if piece[0] is bool
        else f"{quoted(piece[0])} [{piece[2]}:{piece[1]}]"
        for piece in reversed(pieces)
    ]
    return words[0] if len(words) == 1 else f"{{ {' '.join(words)} }}"


def _number(value: str) -> int | str:
    """A parameter by value: a number is the same with and without a width."""
    if re.fullmatch(r"\d+'[01]+", value) and len(value) < 40:
        return int(value.partition("'")[2], 2)
    return int(value) if value.isdigit() else value
