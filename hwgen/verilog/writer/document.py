"""The whole text of a module."""

import re
from collections.abc import Iterable

from ..rtlil import Cell, spec_width
from .bodies import merge_bodies
from .combinational import Combinational
from .expressions import Expressions
from .memories import Memories
from .naming import Naming
from .netlist import Netlist, Register
from .specs import mask_value
from .statements import Statements
from .text import (
    UNARY,
    Lines,
    attributes_text,
    constant_text,
    parameter_text,
    range_text,
    space_blocks,
    wrap,
)

__all__ = ["Document"]


class Document:
    """Text of a module, of which everything is known and has a name.

    Parameters
    ----------
    netlist : Netlist
        The module.
    naming : Naming
        Its names; values that turn out to need one are added.
    submodules : dict of str to (str, tuple of str)
        Names of modules, and their ports in order, by the type of a cell.
    init : bool
        Give registers and zeroed memories their power-on values.
    """

    def __init__(
        self,
        netlist: Netlist,
        naming: Naming,
        submodules: dict[str, tuple[str, tuple[str, ...]]],
        init: bool,
    ):
        self.netlist = netlist
        self.naming = naming
        self.submodules = submodules
        self.init = init
        self.expressions = Expressions(netlist, naming)
        self.statements = Statements(self.expressions)
        self.combinational = Combinational(self.statements)
        self.memories = Memories(self.expressions, init)
        self.variables = self.find_variables()

    def render(self, name: str, comments: Iterable[str]) -> str:
        parts: dict[int, list[str]] = {}
        order = {wire: index for index, wire in enumerate(self.netlist.module.wires)}

        registers = self.register_blocks()
        checks = [line for cell in self.netlist.checks for line in self.check(cell)]
        memories = self.memories.memory_blocks()
        instances = [self.instance(cell) for cell in self.netlist.instances]
        outputs = []
        for port, value in self.netlist.outputs.items():
            text = self.expressions.operand(value, spec_width(value), top=True).text
            outputs += wrap(f"  assign {self.naming.names[port]} = {text};")
        for wire in self.netlist.drivers:
            if wire not in self.naming.inlinable:
                parts[order[wire]] = self.combinational.operator(wire)
        for wire, body in self.netlist.processes.items():
            parts[order[wire]] = self.combinational.process(wire, body)
        for wire in self.naming.late:  # grows while it is walked
            parts[order[wire]] = self.combinational.operator(wire)

        lines = [f"// {comment}".rstrip() for comment in comments]
        lines += self.header(name)
        declarations = self.declarations()
        blocks = [declarations] + [block for block in memories if block]
        simple = [line for index in sorted(parts) for line in parts[index]]
        blocks += [space_blocks(simple), *instances, *registers, outputs, checks]
        for block in blocks:
            if block:
                lines += ["", *block]
        return "\n".join([*lines, "endmodule", ""])

    def header(self, name: str) -> list[str]:
        ports = sorted(
            (wire for wire in self.netlist.module.wires.values() if wire.port),
            key=lambda wire: wire.port_id,
        )
        if not ports:
            return [f"module {name};"]
        ranges = {wire.name: range_text(wire.width) for wire in ports}
        widest = max(map(len, ranges.values()))
        lines = [f"module {name} ("]
        for index, wire in enumerate(ports):
            kind = "reg " if wire.name in self.variables else "wire"
            comma = "," if index + 1 < len(ports) else ""
            span = f"{ranges[wire.name]:>{widest}} " if widest else ""
            lines.append(f"  {wire.port:<6} {kind} {span}{self.naming.names[wire.name]}{comma}")
        return [*lines, ");"]

    def find_variables(self) -> set[str]:
        """Wires that are assigned in an always block."""
        netlist = self.netlist
        assigned = {w for w in netlist.processes if self.combinational.ternary(w) is None}
        read = {
            cell.ports["DATA"][0].wire for cell in netlist.reads if cell.parameters["CLK_ENABLE"]
        }
        return {*netlist.registers, *assigned, *read}

    def declarations(self) -> list[str]:
        lines = []
        wires = [
            wire
            for wire in self.netlist.module.wires.values()
            if wire.port is None and wire.name in self.naming.names
        ]
        widest = max((len(range_text(wire.width)) for wire in wires), default=0)
        for wire in wires:
            kind = "reg " if wire.name in self.variables else "wire"
            attributes = attributes_text(wire.attributes)
            init = ""
            if self.init and wire.name in self.netlist.registers and wire.init is not None:
                init = f" = {constant_text(wire.init)}"
            span = f"{range_text(wire.width):>{widest}} " if widest else ""
            lines.append(f"  {attributes}{kind} {span}{self.naming.names[wire.name]}{init};")
        return lines

    def register_blocks(self) -> list[list[str]]:
        """Registers with the same clock and reset share a block, and equal conditions are tested
        once."""
        groups: dict[tuple, list[Register]] = {}
        for register in self.netlist.registers.values():
            key = (register.clock, register.rising, register.reset, register.asynchronous)
            groups.setdefault(key, []).append(register)
        blocks = []
        for (clock, rising, reset, asynchronous), registers in groups.items():
            body: tuple = ()
            resets: tuple = ()
            for register in registers:
                body = merge_bodies(body, register.body)
                resets += register.reset_body
            edge = "posedge" if rising else "negedge"
            sensitivity = f"{edge} {self.expressions.plain_operand(clock)}"
            if asynchronous:
                sensitivity += f" or posedge {self.expressions.plain_operand(reset)}"
            lines = Lines()
            lines.add(1, f"always @({sensitivity}) begin")
            if reset is None:
                self.statements.statements(lines, 2, body, "<=")
            else:
                lines.add(2, f"if ({self.expressions.operand(reset).text}) begin")
                self.statements.statements(lines, 3, resets, "<=")
                if body:
                    lines.add(2, "end else begin")
                    self.statements.statements(lines, 3, body, "<=")
                lines.add(2, "end")
            lines.add(1, "end")
            blocks.append(lines.lines)
        return blocks

    def instance(self, cell: Cell) -> list[str]:
        kind = cell.kind.removeprefix("\\")
        kind, order = self.submodules.get(kind, (kind, ()))
        parameters = ", ".join(
            f".{key}({parameter_text(value)})" for key, value in cell.parameters.items()
        )
        head = f"  {attributes_text(cell.attributes)}{kind} "
        head += f"#({parameters}) " if parameters else ""
        lines = [f"{head}{self.naming.cell_names[cell.name]} ("]
        connections = []
        places = {port: place for place, port in enumerate(order)}
        for port, spec in sorted(cell.ports.items(), key=lambda item: places.get(item[0], 0)):
            if port in cell.outputs:
                text = (
                    ""
                    if not spec or spec[0].wire not in self.netlist.alive
                    else self.expressions.operand(spec).text
                )
            else:
                text = self.expressions.operand(spec).text
            connections.append(f"    .{port}({text})")
        for index, connection in enumerate(connections):
            comma = "," if index + 1 < len(connections) else ""
            lines += wrap(connection + comma)
        return [*lines, "  );"]

    def check(self, cell: Cell) -> list[str]:
        """Assertions speak in simulation; synthesis never sees them."""
        flavor = cell.parameters["FLAVOR"]
        if flavor != "assert":
            return []
        enable, test = (
            self.expressions.operand(cell.ports["EN"]),
            self.expressions.operand(cell.ports["A"]),
        )
        message = re.sub(r"\{.*?\}", "?", cell.parameters["FORMAT"]).replace('"', "'")
        message = re.sub(r"[\n\\%]", " ", message) or "assertion failed"
        edge = "*"
        if cell.parameters["TRG_ENABLE"]:
            side = "posedge" if mask_value(cell.parameters["TRG_POLARITY"]) else "negedge"
            edge = f"({side} {self.expressions.plain_operand(cell.ports['TRG'])})"
        condition = f"!({test.text})"
        if cell.ports["EN"][0].wire is not None:
            left = enable.text if enable.level <= UNARY else f"({enable.text})"
            condition = f"{left} && {condition}"
        return [
            "`ifndef SYNTHESIS",
            f"  always @{edge} begin",
            *wrap(f"    if ({condition}) begin"),
            f'      $display("%m: {message}");',
            "      $stop;",
            "    end",
            "  end",
            "`endif",
        ]
