"""A flat module as a netlist: cells, ports, and which names are one net."""

import re
from dataclasses import dataclass, field

__all__ = ["ONE", "UNKNOWN", "ZERO", "Cell", "Nets", "bits_of"]

# The first nets are the constants; the others are numbered wire by wire, bit by bit.
ZERO, ONE, UNKNOWN = range(3)

_TOKEN = re.compile(r"\{|\}|\[[0-9:]+\]|[^\s{}]+")
_CONSTANT = re.compile(r"(\d+)'([01xzm-]*)$")


@dataclass
class Cell:
    """A cell; pins are lists of nets, the lowest bit first."""

    kind: str
    name: str
    parameters: dict[str, str] = field(default_factory=dict)
    pins: dict[str, list[int]] = field(default_factory=dict)


class Nets:
    """The netlist in the RTLIL text of one flat module, as Yosys writes it.

    Members
    -------
    wires : dict of str to range
        The nets of each wire, by its name without RTLIL's mark.
    ports : dict of str to str
        ``input`` or ``output``.
    cells : list of Cell
    """

    def __init__(self, text: str):
        self.wires: dict[str, range] = {}
        self.ports: dict[str, str] = {}
        self.cells: list[Cell] = []
        self._count = UNKNOWN + 1
        cell, connections = None, []
        pins: list[tuple[Cell, str, str]] = []
        for line in map(str.strip, text.splitlines()):
            keyword, _space, rest = line.partition(" ")
            if keyword == "wire":
                self._add_wire(rest.split())
            elif keyword == "cell":
                kind, name = rest.split()
                cell = Cell(kind.removeprefix("\\"), name.removeprefix("\\"))
                self.cells.append(cell)
            elif keyword == "parameter":
                key, _space, value = rest.removeprefix("signed ").partition(" ")
                cell.parameters[key.removeprefix("\\")] = value
            elif keyword == "connect" and cell is not None:
                pin, _space, value = rest.partition(" ")
                pins.append((cell, pin.removeprefix("\\"), value))
            elif keyword == "connect":
                connections.append(rest)
            elif keyword == "end":
                cell = None
        self._parents = list(range(self._count))
        for connection in connections:
            for left, right in zip(*self._specs(connection), strict=True):
                self._join(left, right)
        for cell, pin, value in pins:
            (nets,) = self._specs(value)
            cell.pins[pin] = [self.find(net) for net in nets]

    def wire(self, name: str) -> list[int]:
        """The nets of a wire."""
        return [self.find(net) for net in self.wires[name]]

    def find(self, net: int) -> int:
        """The one number of all nets that are connected to this."""
        parents = self._parents
        while parents[net] != net:
            parents[net] = net = parents[parents[net]]
        return net

    def add(self, count: int) -> list[int]:
        """New nets."""
        nets = range(len(self._parents), len(self._parents) + count)
        self._parents += nets
        return list(nets)

    def _join(self, left: int, right: int) -> None:
        left, right = self.find(left), self.find(right)
        if right <= UNKNOWN:
            left, right = right, left
        self._parents[right] = left

    def _add_wire(self, words: list[str]) -> None:
        name, options = words[-1].removeprefix("\\"), words[:-1]
        width = int(options[options.index("width") + 1]) if "width" in options else 1
        for direction in ("input", "output"):
            if direction in options:
                self.ports[name] = direction
        self.wires[name] = range(self._count, self._count + width)
        self._count += width

    def _specs(self, text: str) -> list[list[int]]:
        """The nets of each signal in a line; ``{ a b }`` puts b at the low end."""
        found, group = [], None
        for token in _TOKEN.findall(text):
            into = found if group is None else group
            if token == "{":
                group = []
            elif token == "}":
                found.append([net for nets in reversed(group) for net in nets])
                group = None
            elif token.startswith("["):
                high, _colon, low = token[1:-1].partition(":")
                into[-1] = into[-1][int(low or high) : int(high) + 1]
            else:
                into.append(self._token(token))
        return found

    def _token(self, token: str) -> list[int]:
        if token[0] in "\\$":
            return list(self.wires[token.removeprefix("\\")])
        return bits_of(token)


def bits_of(constant: str) -> list[int]:
    """The nets of a constant, as Yosys writes it."""
    match = _CONSTANT.match(constant)
    if match is None:
        return [int(constant) >> bit & 1 for bit in range(32)]
    bits = [{"0": ZERO, "1": ONE}.get(bit, UNKNOWN) for bit in reversed(match[2])]
    # A constant with fewer digits than bits goes on with zeros, or as unknown as it ends.
    more = UNKNOWN if bits and bits[-1] == UNKNOWN else ZERO
    return bits + [more] * (int(match[1]) - len(bits))
