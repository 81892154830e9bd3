"""Memories with their ports, as arrays."""

from ..rtlil import Cell, Memory, Spec, spec_width
from .expressions import Expressions
from .specs import mask_value, slice_spec, write_lanes
from .text import Lines, attributes_text, constant_text, range_text, wrap

__all__ = ["Memories"]


class Memories:
    """Text of arrays; with ``init`` those of zeros say so."""

    def __init__(self, expressions: Expressions, init: bool):
        self.expressions = expressions
        self.netlist = expressions.netlist
        self.naming = expressions.naming
        self.init = init

    def memory_blocks(self) -> list[list[str]]:
        blocks = []
        for identifier, memory in self.netlist.module.memories.items():
            if identifier not in self.netlist.live_memories:
                continue
            name = self.naming.memory_names[identifier]
            lines = self.memory_declaration(
                memory, name, self.netlist.initial_rows.get(identifier, ())
            )
            writes = [
                cell for cell in self.netlist.writes if cell.parameters["MEMID"] == identifier
            ]
            for cell in writes:
                lines += self.write_port(cell, name, memory)
            for cell in self.netlist.reads:
                if cell.parameters["MEMID"] == identifier:
                    lines += self.read_port(cell, name, writes)
            blocks.append(lines)
        return blocks

    def memory_declaration(self, memory: Memory, name: str, rows: Spec) -> list[str]:
        attributes = attributes_text(memory.attributes)
        lines = [f"  {attributes}reg {range_text(memory.width)} {name} [0:{memory.depth - 1}];"]
        bits = "".join(chunk.bits for chunk in reversed(rows)) or "0" * memory.width * memory.depth
        if "1" not in bits and not self.init:
            return lines + self.simulated_contents(memory, name)
        lines.append("  initial begin")
        for row in range(memory.depth):
            end = len(bits) - row * memory.width
            lines.append(f"    {name}[{row}] = {constant_text(bits[end - memory.width : end])};")
        return [*lines, "  end"]

    def simulated_contents(self, memory: Memory, name: str) -> list[str]:
        """Zeros for simulators. Hardware begins with any bits, but with bits: unknown ones spread,
        for unknown times a weight of zero is unknown."""
        row = self.naming.namespace.add("row")
        loop = f"for ({row} = 0; {row} < {memory.depth}; {row} = {row} + 1)"
        return [
            "`ifndef SYNTHESIS",
            f"  integer {row};",
            *wrap(f"  initial {loop} {name}[{row}] = {memory.width}'d0;"),
            "`endif",
        ]

    def write_port(self, cell: Cell, name: str, memory: Memory) -> list[str]:
        lines = Lines()
        lines.add(1, f"always @({self.edge(cell)}) begin")
        address = self.expressions.plain_operand(cell.ports["ADDR"])
        for low, width, enable in write_lanes(cell):
            if enable[0].wire is None and enable[0].bits == "0":
                continue
            part = "" if width == memory.width else f"[{low + width - 1}:{low}]"
            if width == 1 and part:
                part = f"[{low}]"
            data = self.expressions.operand(slice_spec(cell.ports["DATA"], low, width)).text
            statement = f"{name}[{address}]{part} <= {data};"
            if enable[0].wire is not None:
                statement = f"if ({self.expressions.operand(enable).text}) {statement}"
            lines.add(2, statement)
        lines.add(1, "end")
        return lines.lines

    def edge(self, cell: Cell) -> str:
        edge = "posedge" if cell.parameters["CLK_POLARITY"] else "negedge"
        return f"{edge} {self.expressions.plain_operand(cell.ports['CLK'])}"

    def read_port(self, cell: Cell, name: str, writes: list[Cell]) -> list[str]:
        data = self.naming.names[cell.ports["DATA"][0].wire]
        address = self.expressions.plain_operand(cell.ports["ADDR"])
        if not cell.parameters["CLK_ENABLE"]:
            return wrap(f"  assign {data} = {name}[{address}];")
        transparent = mask_value(cell.parameters["TRANSPARENCY_MASK"])
        body = [f"{data} <= {name}[{address}];"]
        for write in writes:
            if not transparent >> write.parameters["PORTID"] & 1:
                continue
            write_address = self.expressions.plain_operand(write.ports["ADDR"])
            for low, width, enable in write_lanes(write):
                part = (
                    "" if width == spec_width(cell.ports["DATA"]) else f"[{low + width - 1}:{low}]"
                )
                value = self.expressions.operand(slice_spec(write.ports["DATA"], low, width)).text
                test = f"{write_address} == {address}"
                if enable[0].wire is not None:
                    test = f"{self.expressions.operand(enable).text} && {test}"
                elif enable[0].bits == "0":
                    continue
                body.append(f"if ({test}) {data}{part} <= {value};")
        enable = cell.ports["EN"]
        test = "" if enable[0].wire is None else f"if ({self.expressions.operand(enable).text}) "
        lines = Lines()
        if len(body) == 1:
            lines.add(1, f"always @({self.edge(cell)}) {test}{body[0]}")
            return lines.lines
        lines.add(1, f"always @({self.edge(cell)}) begin")
        lines.add(2, f"{test}begin")
        for statement in body:
            lines.add(3, statement)
        lines.add(2, "end")
        lines.add(1, "end")
        return lines.lines
