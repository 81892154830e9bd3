"""What the cells of a Liberty file take: capacitances of pins, energy of a transition, leakage."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np

from ..errors import UserError
from ..flows.liberty import Cells

__all__ = ["Cell", "Edge", "read_power"]

TOKEN = re.compile(r'/\*.*?\*/|"[^"]*"|[A-Za-z_][\w.]*|-?\d[\w.+-]*|[(){}:;,\n]', re.DOTALL)


@dataclass
class _Group:
    """``kind (arguments) { attributes and groups }``."""

    kind: str
    arguments: list[str]
    attributes: dict[str, list[str]] = field(default_factory=dict)
    groups: list["_Group"] = field(default_factory=list)

    def all(self, kind: str) -> list["_Group"]:
        return [group for group in self.groups if group.kind == kind]

    def text(self, name: str, default: str = "") -> str:
        return " ".join(self.attributes.get(name, [default]))

    def number(self, name: str, default: float = 0.0) -> float:
        return float(self.text(name) or default)

    def numbers(self, name: str) -> list[float]:
        text = " ".join(self.attributes.get(name, []))
        return [float(n) for n in re.findall(r"-?\d+\.?\d*(?:[eE][-+]?\d+)?", text)]


def _tokens(text: str, start: int) -> Iterator[str]:
    """Of a Liberty file from ``start``, without comments."""
    found = (token[0] for token in TOKEN.finditer(text, start))
    return (token for token in found if not token.startswith("/*"))


def _parse(kind: str, arguments: list[str], tokens: Iterator[str]) -> _Group:
    """The group whose opening brace has been read. A value ends with its line, too: not everybody
    writes the semicolon.
    """
    group, words = _Group(kind, arguments), []
    for token in tokens:
        if token == "}":
            break
        if token == ":":
            group.attributes[words[-1]] = values = []
            for value in tokens:
                if value == ";" or (value == "\n" and values):
                    break
                if value != "\n":
                    values.append(value.strip('"'))
            words = []
        elif token == "(":
            inside = []
            for value in tokens:
                if value == ")":
                    break
                if value not in (",", "\n"):
                    inside.append(value.strip('"'))
            group.attributes[words[-1]] = inside
        elif token == "{":
            group.groups.append(_parse(words[-1], group.attributes.pop(words[-1], []), tokens))
            words = []
        elif token == ";":
            words = []
        elif token != "\n":
            words.append(token)
    return group


@dataclass(frozen=True)
class Edge:
    """pJ of a transition within a cell against the load in pF, the mean of rise and fall."""

    loads: tuple[float, ...]
    energies: tuple[float, ...]

    def at(self, load: float) -> float:
        """Interpolated; at the ends of the table its last value."""
        return float(np.interp(load, self.loads, self.energies))


@dataclass(frozen=True)
class Cell:
    """A cell as an energy model sees it.

    Attributes
    ----------
    inputs : dict
        pF of each input.
    outputs : dict
        Function of each output, in Liberty's words.
    driven : dict
        For each output, :class:`Edge` of a transition of it.
    passive : dict
        For each input, pJ of a transition by which no output changes.
    clock, data : str
        Clock pin and next state of a flip-flop; empty of a gate.
    state : tuple of str
        What a flip-flop's functions call the state and its complement.
    leakage : float
        pW.
    """

    inputs: dict[str, float]
    outputs: dict[str, str]
    driven: dict[str, Edge]
    passive: dict[str, float]
    clock: str = ""
    data: str = ""
    state: tuple[str, str] = ("", "")
    leakage: float = 0.0


def read_power(cells: Cells, names: set[str], slew: int = 1) -> tuple[dict[str, Cell], float]:
    """The cells of these names, and the voltage.

    Parameters
    ----------
    cells
        Of :func:`hwgen.flows.liberty.read_cells`.
    names
        Those that are wanted; reading all takes long.
    slew
        Which slew of the tables is taken for all transitions.

    Raises
    ------
    UserError
        If a library does not tell its voltage.
    """
    found, volts = {}, 1.0
    for text in cells.texts:
        unit = re.search(r"capacitive_load_unit\s*\(\s*([\d.]+)\s*,\s*(\w+)", text)
        pf = float(unit[1]) * {"pf": 1.0, "ff": 1e-3}[unit[2].lower()] if unit else 1.0
        nominal = re.search(r"nom_voltage\s*:\s*([\d.]+)", text)
        if nominal is None:
            raise UserError(
                f"LIBERTY: must say nom_voltage, which {', '.join(cells.files)} does not"
            )
        volts = float(nominal[1])
        leak = re.search(r'leakage_power_unit\s*:\s*"([\d.]+)\s*(\w)W"', text)
        pw = float(leak[1]) * {"p": 1.0, "n": 1e3, "u": 1e6, "m": 1e9}[leak[2]] if leak else 1.0
        for match in re.finditer(r"^\s*cell\s*\(\s*\"?([\w.$]+)\"?\s*\)\s*\{", text, re.MULTILINE):
            if match[1] in names:
                group = _parse("cell", [], _tokens(text, match.end()))
                found[match[1]] = _cell(group, pf, pw, slew)
    return found, volts


def _cell(group: _Group, pf: float, pw: float, slew: int) -> Cell:
    pins = {pin.arguments[0]: pin for pin in group.all("pin")}
    inputs = {n: pf * p.number("capacitance") for n, p in pins.items() if _is(p, "input")}
    outputs = {n: p.text("function") for n, p in pins.items() if _is(p, "output")}
    flip_flops = group.all("ff")
    flip_flop = flip_flops[0] if flip_flops else _Group("ff", ["", ""])
    return Cell(
        inputs,
        outputs,
        {name: _edge(pins[name], pf, slew) for name in outputs},
        {name: _passive(pins[name], pf, slew) for name in inputs},
        "".join(re.findall(r"\w+", flip_flop.text("clocked_on"))),
        flip_flop.text("next_state"),
        tuple(flip_flop.arguments[:2]),
        pw * _leakage(group),
    )


def _leakage(cell: _Group) -> float:
    """That of the cell, or of its supplies together; of each the value without a condition, or the
    mean of those with one.
    """
    if "cell_leakage_power" in cell.attributes:
        return cell.number("cell_leakage_power")
    supplies: dict[str, list[_Group]] = {}
    for power in cell.all("leakage_power"):
        supplies.setdefault(power.text("related_pg_pin"), []).append(power)
    total = 0.0
    for found in supplies.values():
        always = [power for power in found if "when" not in power.attributes]
        total += fmean(power.number("value") for power in always or found)
    return total


def _is(pin: _Group, direction: str) -> bool:
    return pin.text("direction") == direction


def _tables(pin: _Group) -> list[_Group]:
    """Those of transitions that happen in operation: not of set and reset, nor constants."""
    return [
        table
        for power in pin.all("internal_power")
        if not re.search(r"RESET|SET|SCE|SCD", power.text("related_pin"))
        and not re.search(r"!\s*(RESET|SET)", power.text("when"))
        for kind in ("rise_power", "fall_power")
        for table in power.all(kind)
    ]


def _edge(pin: _Group, pf: float, slew: int) -> Edge:
    """Tables have a row for each slew and a column for each load; energies are in pF V²."""
    rows = []
    for table in _tables(pin):
        loads, values = table.numbers("index_2"), table.numbers("values")
        if loads:
            at = min(slew, len(values) // len(loads) - 1) * len(loads)
            rows.append((loads, values[at : at + len(loads)]))
    if not rows:
        return Edge((0.0,), (0.0,))
    loads = tuple(pf * load for load in rows[0][0])
    return Edge(
        loads, tuple(pf * fmean(column) for column in zip(*(v for _, v in rows), strict=True))
    )


def _passive(pin: _Group, pf: float, slew: int) -> float:
    values = [table.numbers("values") for table in _tables(pin)]
    return pf * fmean(v[min(slew, len(v) - 1)] for v in values) if values else 0.0
