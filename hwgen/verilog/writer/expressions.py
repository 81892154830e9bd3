"""Operators of RTLIL as expressions of Verilog."""

import re
from collections.abc import Callable

from ..rtlil import Cell, Chunk, Spec, spec_width
from .naming import Naming
from .netlist import Netlist
from .specs import constant_value
from .text import ATOM, MUL, MUX, PRECEDENCE, UNARY, Text, constant_text, stands_alone

__all__ = ["OPERATORS", "Expressions"]

# An expression longer than this gets a name of its own.
INLINE_WIDTH = 64

BITWISE = {"$and": "&", "$or": "|", "$xor": "^"}
ARITHMETIC = {"$add": "+", "$sub": "-", "$mul": "*"}
COMPARISON = {"$eq": "==", "$ne": "!=", "$lt": "<", "$le": "<=", "$gt": ">", "$ge": ">="}
REDUCTION = {"$reduce_and": "&", "$reduce_or": "|", "$reduce_bool": "|", "$reduce_xor": "^"}


class Expressions:
    """Text of operators and their operands.

    Every operand is unsigned and of exactly the width of its RTLIL signal. ``context`` is the width
    that the surrounding expression imposes, or None where the operand stands alone; a wider context
    would reveal bits that RTLIL cuts off, so what cannot stand it is refused (None) and becomes a
    wire.
    """

    def __init__(self, netlist: Netlist, naming: Naming):
        self.netlist = netlist
        self.naming = naming

    def chunk_text(self, chunk: Chunk) -> str:
        if chunk.wire is None:
            return constant_text(chunk.bits)
        name = self.naming.name_of(chunk.wire)
        width = self.netlist.module.wires[chunk.wire].width
        if chunk.width == width:
            return name
        if chunk.width == 1:
            return f"{name}[{chunk.low}]"
        return f"{name}[{chunk.low + chunk.width - 1}:{chunk.low}]"

    def operand(self, spec: Spec, context: int | None = None, top: bool = False) -> Text:
        """Text of a signal; ``top`` says that it is the whole right side of an assignment."""
        wire = self.netlist.whole(spec)
        if wire in self.naming.inlinable and wire not in self.naming.names:
            text = self.operator(self.netlist.drivers[wire], context, top)
            if text is not None and (top or len(text.text) <= INLINE_WIDTH):
                return text
            # Refused: name_of below gives it a name.
        if len(spec) == 1:
            return Text(self.chunk_text(spec[0]))
        if not spec:
            return Text("1'd0")
        parts, repeats = [], 1
        chunks = list(reversed(spec))
        for index, chunk in enumerate(chunks):
            if index + 1 < len(chunks) and chunks[index + 1] == chunk and chunk.wire is not None:
                repeats += 1
                continue
            text = self.operand((chunk,)).text
            parts.append(text if repeats == 1 else f"{{{repeats}{{{text}}}}}")
            repeats = 1
        if len(parts) == 1:
            return Text(parts[0])
        return Text("{" + ", ".join(parts) + "}")

    def plain_operand(self, spec: Spec) -> str:
        """Text of a signal that may not be an expression."""
        wire = self.netlist.whole(spec)
        return self.naming.name_of(wire) if wire else self.operand(spec).text

    def extended(self, spec: Spec, width: int, signed: bool = False) -> Spec:
        """``spec`` widened to ``width``; an expression is named first when its sign bit is
        needed."""
        missing = width - spec_width(spec)
        if missing <= 0:
            return spec
        if not signed or not spec:
            if spec and spec[-1].wire is None:
                bits = "0" * missing + spec[-1].bits
                return (*spec[:-1], Chunk(None, 0, len(bits), bits))
            return (*spec, Chunk(None, 0, missing, "0" * missing))
        last = spec[-1]
        if last.wire is None:
            bits = last.bits[0] * missing + last.bits
            return (*spec[:-1], Chunk(None, 0, len(bits), bits))
        self.naming.name_of(last.wire)
        sign = Chunk(last.wire, last.low + last.width - 1, 1)
        return (*spec, *([sign] * missing))

    def signed(self, spec: Spec) -> str:
        return f"$signed({self.operand(spec).text})"

    def binary(self, left: str | Text, operator: str, right: str | Text) -> Text:
        level = PRECEDENCE[operator]
        left = Text(left) if isinstance(left, str) else left
        right = Text(right) if isinstance(right, str) else right
        # Mixed operators get parentheses even where precedence would do: nobody remembers the
        # table.
        same = left.level == level and operator in "&|^+" and f" {operator} " in left.text
        left_text = left.text if stands_alone(left) or same else f"({left.text})"
        right_text = right.text if stands_alone(right) else f"({right.text})"
        return Text(f"{left_text} {operator} {right_text}", level)

    def operator(self, cell: Cell, context: int | None, top: bool) -> Text | None:
        return OPERATORS[cell.kind](self, cell, spec_width(cell.ports["Y"]), context, top)

    def write_not(self, cell, width, context, top):
        a = cell.ports["A"]
        if width == 1:
            text = self.operand(a)
            return Text("!" + (text.text if text.level == ATOM else f"({text.text})"), UNARY)
        if context not in (None, width) or spec_width(a) != width:
            return None
        text = self.operand(a, context)
        return Text("~" + (text.text if text.level == ATOM else f"({text.text})"), UNARY)

    def write_bitwise(self, cell, width, context, top):
        a, b = (self.extended(cell.ports[port], width) for port in "AB")
        if spec_width(a) > width or spec_width(b) > width:
            return None
        if context is None:
            return self.binary(self.operand(a), BITWISE[cell.kind], self.operand(b))
        return self.binary(self.operand(a, context), BITWISE[cell.kind], self.operand(b, context))

    def write_arithmetic(self, cell, width, context, top):
        operator = ARITHMETIC[cell.kind]
        a, b = cell.ports["A"], cell.ports["B"]
        signed = bool(cell.parameters["A_SIGNED"])
        widest = max(spec_width(a), spec_width(b))
        if context not in (None, width) or (context is None and widest != width):
            return None
        if signed and not top:
            # Beside an unsigned neighbour it would not be signed, and as an index it would be
            # negative.
            return None
        if widest > width:
            return None
        if cell.kind != "$mul" or context is None:
            common = widest if width <= widest + 1 else width
            a, b = self.extended(a, common, signed), self.extended(b, common, signed)
            signed = signed and common < width
        if signed:
            return self.binary(self.signed(a), operator, self.signed(b))
        return self.binary(self.fitting(a, context), operator, self.fitting(b, context))

    def fitting(self, spec: Spec, context: int | None) -> Text:
        """An operand that the context may extend."""
        if context is None or spec_width(spec) == context:
            return self.operand(spec, context)
        wire = self.netlist.whole(spec)
        return Text(self.naming.name_of(wire)) if wire else self.operand(spec, context)

    def write_negate(self, cell, width, context, top):
        a = cell.ports["A"]
        signed = bool(cell.parameters["A_SIGNED"])
        if context not in (None, width) or (signed and not top):
            return None
        if signed and spec_width(a) == width - 1:
            return Text(f"-{self.signed(a)}", UNARY)
        text = self.operand(self.extended(a, width, signed))
        return Text("-" + (text.text if text.level == ATOM else f"({text.text})"), UNARY)

    def write_comparison(self, cell, width, context, top):
        if width != 1:
            return None
        operator = COMPARISON[cell.kind]
        a, b = cell.ports["A"], cell.ports["B"]
        signed = bool(cell.parameters["A_SIGNED"])
        widest = max(spec_width(a), spec_width(b), 1)
        a, b = self.extended(a, widest, signed), self.extended(b, widest, signed)
        if not signed:
            folded = self.constant_comparison(cell.kind, a, b, widest)
            if folded is not None:
                return folded
        if signed and cell.kind not in ("$eq", "$ne"):
            return self.binary(self.signed(a), operator, self.signed(b))
        if widest == 1 and cell.kind in ("$eq", "$ne") and b[0].wire is None:
            text = self.operand(a)
            if (b[0].bits == "1") == (cell.kind == "$eq"):
                return text
            return Text("!" + (text.text if text.level == ATOM else f"({text.text})"), UNARY)
        return self.binary(self.operand(a, widest), operator, self.operand(b, widest))

    def constant_comparison(self, kind: str, a: Spec, b: Spec, width: int) -> Text | None:
        """An unsigned comparison with the lowest or highest number is a constant or an equality."""
        mirrored = {"$lt": "$gt", "$gt": "$lt", "$le": "$ge", "$ge": "$le"}
        if kind not in mirrored:
            return None
        if all(chunk.wire is None for chunk in a):
            a, b, kind = b, a, mirrored[kind]
        bound = constant_value(b)
        if bound is None:
            return None
        if kind in ("$le", "$gt") and bound < 2**width - 1:
            kind, bound = {"$le": "$lt", "$gt": "$ge"}[kind], bound + 1
        if bound == 0 or kind in ("$le", "$gt"):
            return Text("1'd1" if kind in ("$ge", "$le") else "1'd0")
        if bound == 1:
            text = self.operand(a)
            if width == 1 and kind == "$ge":
                return text
            atom = text.text if text.level == ATOM else f"({text.text})"
            if kind == "$ge":
                return Text(f"|{atom}", UNARY)
            return Text(f"!{atom}", UNARY) if width == 1 else Text(f"~|{atom}", UNARY)
        return None

    def write_reduction(self, cell, width, context, top):
        a = cell.ports["A"]
        if width != 1:
            return None
        if not a:
            return Text("1'd1" if cell.kind == "$reduce_and" else "1'd0")
        text = self.operand(a)
        if spec_width(a) == 1:
            return text
        return Text(
            REDUCTION[cell.kind] + (text.text if text.level == ATOM else f"({text.text})"), UNARY
        )

    def write_mux(self, cell, width, context, top):
        condition = self.operand(cell.ports["S"])
        inner = context if context is not None else None
        yes, no = self.operand(cell.ports["B"], inner), self.operand(cell.ports["A"], inner)
        test = condition.text if condition.level <= UNARY else f"({condition.text})"
        yes_text = f"({yes.text})" if yes.level == MUX else yes.text
        no_text = f"({no.text})" if no.level == MUX else no.text
        return Text(f"{test} ? {yes_text} : {no_text}", MUX)

    def write_shift_left(self, cell, width, context, top):
        if context not in (None, width) or spec_width(cell.ports["A"]) > width:
            return None
        a = self.extended(cell.ports["A"], width, bool(cell.parameters["A_SIGNED"]))
        if not cell.ports["B"]:
            return self.operand(a, context)
        return self.binary(self.operand(a, context), "<<", self.operand(cell.ports["B"]))

    def write_shift_right(self, cell, width, context, top):
        """``$shift`` fills with the sign of a signed operand, as Yosys maps it, and as ``$sshr``
        does."""
        a, b = cell.ports["A"], cell.ports["B"]
        if spec_width(a) > width:
            return self.write_part(a, b, width) if cell.kind == "$shift" else None
        signed = cell.kind != "$shr" and bool(cell.parameters["A_SIGNED"])
        a = self.extended(a, width, signed)
        if not b:
            return self.operand(a, context)
        if not signed:
            return self.binary(self.operand(a, context), ">>", self.operand(b))
        if not top:
            return None
        return self.binary(self.signed(a), ">>>", self.operand(b))

    def write_part(self, a: Spec, b: Spec, width: int) -> Text | None:
        """Some of the bits of a named signal, where all of them surely exist."""
        source = self.plain_operand(a)
        index = self.in_range(b, spec_width(a), width)
        if index is None or not re.fullmatch(r"\w+", source):
            return None
        return Text(f"{source}[{index} +: {width}]" if width > 1 else f"{source}[{index}]")

    def in_range(self, offset: Spec, length: int, width: int) -> str | None:
        """Text of an index that provably selects existing bits, else None."""
        wire = self.netlist.whole(offset)
        cell = self.netlist.drivers.get(wire)
        stride = 1
        if cell is not None and cell.kind == "$mul" and wire in self.naming.inlinable:
            factor = cell.ports["B"]
            if all(chunk.wire is None for chunk in factor):
                stride = int("".join(chunk.bits for chunk in reversed(factor)), 2)
                offset = cell.ports["A"]
        zeros = stride.bit_length() - 1
        missing = (length - 1).bit_length() - spec_width(offset) - zeros
        if (2 ** spec_width(offset) - 1) * stride + width > length:
            return None
        if stride != 1 << zeros:
            return None
        if stride != 1:
            offset = (Chunk(None, 0, zeros, "0" * zeros), *offset)
        if missing > 0:
            offset = (*offset, Chunk(None, 0, missing, "0" * missing))
        return self.operand(offset).text

    def write_divide(self, cell, width, context, top):
        """Only unsigned; a signed one needs statements of its own and never comes here."""
        if cell.parameters["A_SIGNED"] or context not in (None, width):
            return None
        widest = max(spec_width(cell.ports["A"]), spec_width(cell.ports["B"]), width)
        if widest > width:
            return None
        a, b = (self.extended(cell.ports[port], width) for port in "AB")
        operator = "/" if cell.kind == "$divfloor" else "%"
        return Text(f"{self.plain_operand(a)} {operator} {self.plain_operand(b)}", MUL)


OPERATORS: dict[str, Callable] = {
    "$not": Expressions.write_not,
    **dict.fromkeys(BITWISE, Expressions.write_bitwise),
    **dict.fromkeys(ARITHMETIC, Expressions.write_arithmetic),
    **dict.fromkeys(COMPARISON, Expressions.write_comparison),
    **dict.fromkeys(REDUCTION, Expressions.write_reduction),
    "$neg": Expressions.write_negate,
    "$mux": Expressions.write_mux,
    "$shl": Expressions.write_shift_left,
    "$shr": Expressions.write_shift_right,
    "$sshr": Expressions.write_shift_right,
    "$shift": Expressions.write_shift_right,
    "$divfloor": Expressions.write_divide,
    "$modfloor": Expressions.write_divide,
}
