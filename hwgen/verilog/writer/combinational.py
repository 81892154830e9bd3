"""What has no state: operators that are named, and processes."""

from ..rtlil import Assign, Cell, Spec, Switch, spec_width
from .statements import Statements
from .text import MUX, UNARY, Lines, constant_text, range_text, wrap

__all__ = ["Combinational"]


class Combinational:
    """Text of the ``assign`` lines and ``always`` blocks behind wires."""

    def __init__(self, statements: Statements):
        self.statements = statements
        self.expressions = statements.expressions
        self.netlist = self.expressions.netlist
        self.naming = self.expressions.naming

    def operator(self, wire: str) -> list[str]:
        cell = self.netlist.drivers[wire]
        width = self.netlist.module.wires[wire].width
        name = self.naming.names[wire]
        text = self.expressions.operator(cell, width, True)
        if text is not None:
            return wrap(f"  assign {name} = {text.text};")
        return self.spelled_out(cell, name, width)

    def spelled_out(self, cell: Cell, name: str, width: int) -> list[str]:
        """Operators that take more than an expression: their operands are wider than their result,
        or floor."""
        a_width = spec_width(cell.ports["A"])
        if cell.kind in ("$shift", "$shr", "$sshr") and a_width > width:
            wide = self.naming.namespace.add(f"{name}_shifted")
            signed = cell.kind != "$shr" and cell.parameters["A_SIGNED"]
            a = (
                self.expressions.signed(cell.ports["A"])
                if signed
                else self.expressions.plain_operand(cell.ports["A"])
            )
            text = self.expressions.binary(
                a, ">>>" if signed else ">>", self.expressions.operand(cell.ports["B"])
            ).text
            return [
                *wrap(f"  wire {range_text(a_width)} {wide} = {text};"),
                f"  assign {name} = {wide}{range_text(width) or '[0]'};",
            ]
        if cell.kind in ("$divfloor", "$modfloor"):
            return self.floor_division(cell, name, width)
        raise AssertionError(f"{cell.kind} of {name} has no text")

    def floor_division(self, cell: Cell, name: str, width: int) -> list[str]:
        """Verilog truncates towards zero; the remainder tells when that differs from the floor."""
        a, b = cell.ports["A"], cell.ports["B"]
        signed = bool(cell.parameters["A_SIGNED"])
        widest = max(spec_width(a), spec_width(b), width, 2)
        names = {
            part: self.naming.namespace.add(f"{name}_{part}")
            for part in ("dividend", "divisor", "quotient", "remainder", "inexact", "result")
        }
        kind = f"wire {'signed ' if signed else ''}{range_text(widest)}"
        a_text = self.expressions.operand(self.expressions.extended(a, widest, signed)).text
        b_text = self.expressions.operand(self.expressions.extended(b, widest, signed)).text
        dividend, divisor = names["dividend"], names["divisor"]
        lines = [f"  {kind} {dividend} = {a_text};", f"  {kind} {divisor} = {b_text};"]
        quotient, remainder = names["quotient"], names["remainder"]
        top = widest - 1
        if not signed:
            operator = "/" if cell.kind == "$divfloor" else "%"
            lines.append(f"  {kind} {names['result']} = {dividend} {operator} {divisor};")
        else:
            inexact, result = names["inexact"], names["result"]
            lines += [
                f"  {kind} {remainder} = {dividend} % {divisor};",
                f"  wire {inexact} = |{remainder} & ({dividend}[{top}] ^ {divisor}[{top}]);",
            ]
            if cell.kind == "$divfloor":
                minus = constant_text("1" * widest)
                lines += [
                    f"  {kind} {quotient} = {dividend} / {divisor};",
                    f"  wire {range_text(widest)} {result} ="
                    f" {inexact} ? {quotient} + {minus} : {quotient};",
                ]
            else:
                lines += [
                    f"  wire {range_text(widest)} {result} ="
                    f" {inexact} ? {remainder} + {divisor} : {remainder};"
                ]
        part = (range_text(width) or "[0]") if width < widest else ""
        lines.append(f"  assign {name} = {names['result']}{part};")
        return [piece for line in lines for piece in wrap(line)]

    def ternary(self, wire: str) -> tuple[Spec, Spec, Spec] | Spec | None:
        """A process that is one plain choice, as (condition, then, else); or the value if there is
        no choice."""
        body = self.netlist.processes[wire]
        target = body[0].target
        if len(body) == 1:
            return ("value", body[0].value)
        if len(body) != 2 or not isinstance(body[1], Switch):
            return None
        conditions = self.statements.conditions(body[1])
        if conditions is None or conditions[0] is None or len(conditions) > 2:
            return None
        values = []
        for _patterns, case in body[1].cases:
            if len(case) != 1 or not isinstance(case[0], Assign) or case[0].target != target:
                return None
            values.append(case[0].value)
        if len(values) == 2:
            second = conditions[1]
            if second is not None and (
                second[0] != conditions[0][0] or second[1] == conditions[0][1]
            ):
                return None
        else:
            values.append(body[0].value)
        if not conditions[0][1]:
            values.reverse()
        return ("choice", conditions[0][0], *values)

    def process(self, wire: str, body: tuple) -> list[str]:
        name = self.naming.names[wire]
        choice = self.ternary(wire)
        if choice is not None and choice[0] == "value":
            text = self.expressions.operand(choice[1], spec_width(choice[1]), top=True).text
            return wrap(f"  assign {name} = {text};")
        if choice is not None:
            _kind, condition, yes, no = choice
            width = spec_width(yes)
            test = self.expressions.operand(condition)
            test_text = test.text if test.level <= UNARY else f"({test.text})"
            yes_text, no_text = (self.expressions.operand(value, width) for value in (yes, no))
            yes_text = f"({yes_text.text})" if yes_text.level == MUX else yes_text.text
            return wrap(f"  assign {name} = {test_text} ? {yes_text} : {no_text.text};")
        lines = Lines()
        lines.add(1, "always @* begin")
        self.statements.statements(lines, 2, body, "=")
        lines.add(1, "end")
        return lines.lines
