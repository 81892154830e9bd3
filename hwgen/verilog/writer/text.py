"""Pieces of Verilog text, and how tightly they bind."""

from dataclasses import dataclass, field

from ..names import plain
from ..rtlil import Bits

__all__ = [
    "ATOM",
    "MUL",
    "MUX",
    "PRECEDENCE",
    "UNARY",
    "WIDTH",
    "Lines",
    "Text",
    "attributes_text",
    "constant_text",
    "parameter_text",
    "pattern_text",
    "range_text",
    "space_blocks",
    "stands_alone",
    "wrap",
]

WIDTH = 100

# How tightly an operator binds: the lower, the tighter.
ATOM, UNARY, MUL, _ADD, _SHIFT, _ORDER, _EQUAL, _AND, _XOR, _OR, MUX = range(11)
PRECEDENCE = {"*": MUL, "+": _ADD, "-": _ADD, "<<": _SHIFT, ">>": _SHIFT, ">>>": _SHIFT}
PRECEDENCE |= dict.fromkeys(("<", "<=", ">", ">="), _ORDER)
PRECEDENCE |= {"==": _EQUAL, "!=": _EQUAL, "&": _AND, "^": _XOR, "|": _OR}


@dataclass
class Text:
    """A piece of an expression and how tightly it binds."""

    text: str
    level: int = ATOM


@dataclass
class Lines:
    lines: list[str] = field(default_factory=list)

    def add(self, depth: int, text: str) -> None:
        self.lines.extend(wrap("  " * depth + text))


def wrap(line: str) -> list[str]:
    """Break a long line at spaces, continuation lines indented by four more."""
    if len(line) <= WIDTH or line.lstrip().startswith("//"):
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    lines = []
    while len(line) > WIDTH:
        cut = line.rfind(" ", len(indent), WIDTH)
        if cut <= len(indent):
            cut = line.find(" ", WIDTH)
            if cut < 0:
                break
        lines.append(line[:cut])
        line = indent + line[cut + 1 :]
    return [*lines, line]


def stands_alone(text: Text) -> bool:
    """Whether a piece can be an operand as it is; ``a | |b`` could, but nobody could read it."""
    return text.level == ATOM or (text.level == UNARY and text.text[0] not in "&|^-")


def constant_text(bits: str) -> str:
    width = len(bits)
    if set(bits) - set("01"):
        return f"{width}'b{bits.replace('-', 'z')}"
    value = int(bits, 2)
    if width <= 4 or value < 10:
        return f"{width}'d{value}"
    return f"{width}'h{value:x}"


def pattern_text(pattern: str) -> str:
    if "-" in pattern:
        return f"{len(pattern)}'b{pattern.replace('-', '?')}"
    return constant_text(pattern)


def parameter_text(value: object) -> str:
    if isinstance(value, Bits):
        return f"{len(value)}'b{value}"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def attributes_text(attributes: dict) -> str:
    """Attributes that mean something to a synthesizer."""
    kept = [
        f"{plain(key)} = {parameter_text(value)}"
        for key, value in attributes.items()
        if key not in ("init", "src", "generator", "top") and not key.startswith("enum_")
    ]
    return f"(* {', '.join(kept)} *) " if kept else ""


def range_text(width: int) -> str:
    return f"[{width - 1}:0]" if width > 1 else ""


def space_blocks(lines: list[str]) -> list[str]:
    """A blank line around each always block."""
    spaced = []
    for line in lines:
        if line.startswith("  always") and spaced and spaced[-1]:
            spaced.append("")
        spaced.append(line)
        if line == "  end":
            spaced.append("")
    while spaced and not spaced[-1]:
        spaced.pop()
    return spaced
