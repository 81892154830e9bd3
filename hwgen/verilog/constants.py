"""What operators of RTLIL make of constants."""

from collections.abc import Callable

from .rtlil import Cell, Spec

__all__ = ["evaluate"]

_BINARY: dict[str, Callable[[int, int], int]] = {
    "$add": lambda a, b: a + b,
    "$sub": lambda a, b: a - b,
    "$mul": lambda a, b: a * b,
    "$and": lambda a, b: a & b,
    "$or": lambda a, b: a | b,
    "$xor": lambda a, b: a ^ b,
    "$eq": lambda a, b: a == b,
    "$ne": lambda a, b: a != b,
    "$lt": lambda a, b: a < b,
    "$le": lambda a, b: a <= b,
    "$gt": lambda a, b: a > b,
    "$ge": lambda a, b: a >= b,
    "$shl": lambda a, b: a << b,
    "$shr": lambda a, b: a >> b,
    "$sshr": lambda a, b: a >> b,
    "$shift": lambda a, b: a >> b,
    # A quotient by zero is never used: Amaranth puts a multiplexer behind it.
    "$divfloor": lambda a, b: a // b if b else 0,
    "$modfloor": lambda a, b: a % b if b else 0,
}


def evaluate(cell: Cell) -> int | None:
    """Value of an operator whose inputs are all constants, not cut to the width of the result."""
    if cell.kind == "$mux":
        return _number(cell.ports["B" if _number(cell.ports["S"]) else "A"])
    a = _number(cell.ports["A"], bool(cell.parameters.get("A_SIGNED")))
    if cell.kind in _BINARY:
        b = _number(cell.ports["B"], bool(cell.parameters["B_SIGNED"]))
        if cell.kind in ("$add", "$sub", "$mul") and not cell.parameters["B_SIGNED"]:
            a = _number(cell.ports["A"])
        return int(_BINARY[cell.kind](a, b))
    width = sum(chunk.width for chunk in cell.ports["A"])
    ones = _number(cell.ports["A"])
    match cell.kind:
        case "$not":
            return ~a
        case "$neg":
            return -a
        case "$reduce_or" | "$reduce_bool":
            return int(ones != 0)
        case "$reduce_and":
            return int(ones == 2**width - 1)
        case "$reduce_xor":
            return ones.bit_count() & 1
    return None


def _number(spec: Spec, signed: bool = False) -> int:
    bits = "".join(chunk.bits for chunk in reversed(spec))
    value = int(bits or "0", 2)
    return value - 2 ** len(bits) if signed and bits[:1] == "1" else value
