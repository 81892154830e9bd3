"""Reading the part of Yosys's RTLIL text that Amaranth writes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = [
    "Assign",
    "Cell",
    "Chunk",
    "Memory",
    "Module",
    "Process",
    "Spec",
    "Switch",
    "Wire",
    "parse",
    "spec_width",
]


@dataclass(frozen=True)
class Chunk:
    """Neighbouring bits of one wire; or constant ``bits``, most significant first, where ``wire``
    is None."""

    wire: str | None
    low: int
    width: int
    bits: str = ""


# Least significant chunk first.
Spec = tuple[Chunk, ...]


def spec_width(spec: Spec) -> int:
    return sum(chunk.width for chunk in spec)


@dataclass
class Wire:
    name: str
    width: int
    port: str | None = None
    port_id: int = -1
    attributes: dict = field(default_factory=dict)

    @property
    def init(self) -> str | None:
        return self.attributes.get("init")


@dataclass
class Memory:
    name: str
    width: int
    depth: int
    attributes: dict = field(default_factory=dict)


@dataclass
class Cell:
    """An operator (``kind`` begins with ``$``), or an instance of a module."""

    kind: str
    name: str
    parameters: dict = field(default_factory=dict)
    ports: dict[str, Spec] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)
    attributes: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Assign:
    target: Spec
    value: Spec


@dataclass(frozen=True)
class Switch:
    """First case whose patterns match ``selector``; a case without patterns is the default."""

    selector: Spec
    cases: tuple[tuple[tuple[str, ...], tuple], ...]


@dataclass
class Process:
    """Statements in order; the last assignment wins."""

    body: tuple


@dataclass
class Module:
    name: str
    wires: dict[str, Wire] = field(default_factory=dict)
    memories: dict[str, Memory] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    connections: list[tuple[Spec, Spec]] = field(default_factory=list)


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\{|\}|\[[0-9:]+\]|[^\s{}]+')
_CONSTANT = re.compile(r"(\d+)'([01xzm-]*)$")
_ESCAPE = re.compile(r"\\(.)")


class _Reader:
    def __init__(self, text: str):
        self.lines = (line for line in map(str.strip, text.splitlines()) if line)
        self.module = None

    def modules(self) -> Iterator[Module]:
        for line in self.lines:
            if line.startswith("module "):
                yield self.read_module(line.split()[1].removeprefix("\\"))

    def read_module(self, name: str) -> Module:
        self.module = module = Module(name)
        attributes = {}
        for line in self.lines:
            keyword, _space, rest = line.partition(" ")
            if keyword == "attribute":
                key, _space, value = rest.partition(" ")
                attributes[key.removeprefix("\\")] = _value(value)
                continue
            if keyword == "end":
                return module
            if keyword == "wire":
                self.read_wire(rest, attributes)
            elif keyword == "memory":
                words = rest.split()
                memory = Memory(
                    words[4].removeprefix("\\"), int(words[1]), int(words[3]), attributes
                )
                module.memories[words[4]] = memory
            elif keyword == "cell":
                kind, cell_name = rest.split()
                module.cells.append(self.read_cell(kind, cell_name, attributes))
            elif keyword == "process":
                body, _terminator = self.read_body()
                module.processes.append(Process(body))
            elif keyword == "connect":
                left, right = self.specs(rest)
                module.connections.append((left, right))
            else:
                raise ValueError(f"unknown RTLIL line {line!r}")
            attributes = {}
        raise ValueError(f"RTLIL of module {name} has no end")

    def read_wire(self, rest: str, attributes: dict) -> None:
        words = rest.split()
        wire = Wire(words[-1], int(words[1]), attributes=attributes)
        if words[2] in ("input", "output", "inout"):
            wire.port, wire.port_id = words[2], int(words[3])
        self.module.wires[wire.name] = wire

    def read_cell(self, kind: str, name: str, attributes: dict) -> Cell:
        cell = Cell(kind, name, attributes=attributes)
        for line in self.lines:
            keyword, _space, rest = line.partition(" ")
            if keyword == "end":
                return cell
            rest = rest.removeprefix("signed ")
            real = rest.startswith("real ")
            key, _space, value = rest.removeprefix("real ").partition(" ")
            key = key.removeprefix("\\")
            if keyword == "parameter":
                cell.parameters[key] = float(_value(value)) if real else _value(value)
            else:
                (cell.ports[key],) = self.specs(value)
                # Amaranth names the wire it drives bare, and everything it reads with a range.
                if value in self.module.wires:
                    cell.outputs.add(key)
        raise ValueError(f"RTLIL of cell {name} has no end")

    def read_body(self) -> tuple[tuple, str]:
        """Statements up to the next ``case`` or ``end``, and that line."""
        body = []
        for line in self.lines:
            keyword, _space, rest = line.partition(" ")
            if keyword == "assign":
                body.append(Assign(*self.specs(rest)))
            elif keyword == "switch":
                (selector,) = self.specs(rest)
                body.extend(self.read_switch(selector))
            else:
                return tuple(body), line
        raise ValueError("RTLIL of a process has no end")

    def read_switch(self, selector: Spec) -> tuple:
        cases = []
        line = next(self.lines)
        while line != "end":
            patterns = tuple(
                pattern.strip().partition("'")[2]
                for pattern in line.removeprefix("case").split(",")
                if pattern.strip()
            )
            body, line = self.read_body()
            cases.append((patterns, body))
        if not selector:
            # A switch over nothing only groups statements.
            return cases[0][1] if cases else ()
        return (Switch(selector, tuple(cases)),)

    def specs(self, text: str) -> list[Spec]:
        """The signals in a line; ``{ a b }`` puts b at the low end."""
        found, group = [], None
        for token in _TOKEN.findall(text):
            if token == "{":
                group = []
            elif token == "}":
                found.append(tuple(chunk for spec in reversed(group) for chunk in spec))
                group = None
            elif token.startswith("["):
                into = found if group is None else group
                high, _colon, low = token[1:-1].partition(":")
                low = int(low or high)
                (whole,) = into[-1]
                into[-1] = (Chunk(whole.wire, low, int(high) - low + 1),)
            else:
                (found if group is None else group).append(self.token_spec(token))
        return found

    def token_spec(self, token: str) -> Spec:
        constant = _CONSTANT.match(token)
        if constant:
            width = int(constant[1])
            return (Chunk(None, 0, width, constant[2]),) if width else ()
        width = self.module.wires[token].width
        return (Chunk(token, 0, width),) if width else ()


def _value(text: str) -> object:
    """A parameter or attribute: integer, string, or the bits of a constant as ``Bits``."""
    if text.startswith('"'):
        return _ESCAPE.sub(
            lambda match: {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1]), text[1:-1]
        )
    constant = _CONSTANT.match(text)
    return Bits(constant[2]) if constant else int(text)


class Bits(str):
    """Bits of a constant, most significant first."""


def parse(text: str) -> list[Module]:
    """The modules of an RTLIL text that Amaranth wrote."""
    return list(_Reader(text).modules())
