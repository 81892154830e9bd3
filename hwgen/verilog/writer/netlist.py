"""Understanding a module of RTLIL before it is written."""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass

from ..constants import evaluate
from ..rtlil import Assign, Cell, Chunk, Module, Spec, Switch, spec_width
from .bodies import (
    assignments_first,
    fold_constant_switches,
    map_specs,
    read_specs,
    retarget,
    splice,
)
from .specs import join_chunks, slice_spec, write_lanes

__all__ = ["Netlist", "Register"]

# Operators whose low result bits depend on nothing but the low operand bits.
LOW_BITS_ONLY = {"$add", "$sub", "$mul", "$neg", "$and", "$or", "$xor", "$not"}


@dataclass
class Register:
    """A flip-flop, with the statements that say what it takes."""

    wire: str
    clock: Spec
    rising: bool
    body: tuple
    reset: Spec | None = None
    reset_body: tuple = ()
    asynchronous: bool = False


class Netlist:
    """What a module of RTLIL says, each thing once.

    Aliases and constants are gone, a register has the statements that say what it takes, nothing
    is left that nobody sees, and results have no bits that nobody reads.

    Parameters
    ----------
    module : Module
        The module; it is changed.
    borrowed : dict of str to str
        Wires that Amaranth named after a port of a submodule, and what to call them instead.
    operators : set of str
        Kinds of cells that have a text.
    """

    def __init__(self, module: Module, borrowed: dict[str, str], operators: Container[str]):
        self.module = module
        self.borrowed = borrowed
        self.operators = operators
        self.drivers: dict[str, Cell] = {}  # wire -> the operator that drives it
        self.processes: dict[str, tuple] = {}  # wire -> statements that assign it
        self.registers: dict[str, Register] = {}
        self.flip_flops: list[Cell] = []
        self.reads: list[Cell] = []
        self.writes: list[Cell] = []
        self.instances: list[Cell] = []
        self.checks: list[Cell] = []
        self.initial_rows: dict[str, Spec] = {}
        self.outputs: dict[str, Spec] = {}
        self.aliases: dict[str, str] = {}
        self.own_names: dict[str, str] = {}  # wires the user named through an alias
        self.sort_cells()
        self.sort_connections()
        self.fold_constants()
        self.sort_processes()
        self.drop_dead()
        self.narrow()

    def sort_cells(self) -> None:
        for cell in self.module.cells:
            if not cell.kind.startswith("$"):
                self.instances.append(cell)
            elif cell.kind in ("$dff", "$adff"):
                self.flip_flops.append(cell)
            elif cell.kind == "$memrd_v2":
                self.reads.append(cell)
            elif cell.kind == "$memwr_v2":
                self.writes.append(cell)
            elif cell.kind == "$meminit_v2":
                self.initial_rows[cell.parameters["MEMID"]] = cell.ports["DATA"]
            elif cell.kind == "$check":
                self.checks.append(cell)
            elif "Y" in cell.ports and cell.kind in self.operators:
                (target,) = cell.ports["Y"]
                self.drivers[target.wire] = cell
            else:
                raise ValueError(f"{cell.kind} has no Verilog that all tools read")

    def sort_connections(self) -> None:
        """Aliases are dropped, but their names are remembered; what is left are the outputs."""
        renamed = {}
        # Signals without bits have nothing to connect.
        self.module.connections = [item for item in self.module.connections if item[0]]
        for target, value in self.module.connections:
            (port,) = target
            source = self.whole(value)
            if source:
                self.aliases[port.wire] = source
            wire = self.module.wires[port.wire]
            if wire.port is None:
                if source and port.wire not in self.borrowed:
                    self.own_names.setdefault(source, port.wire)
                elif port.wire not in self.borrowed:
                    self.alias_parts(port.wire, value)
            elif source and self.module.wires[source].port is None and source not in renamed:
                renamed[source] = port.wire
            else:
                self.outputs[port.wire] = value
        if renamed:
            self.rename(renamed)

    def alias_parts(self, name: str, value: Spec) -> None:
        low = 0
        for chunk in value:
            if chunk.wire and chunk.width == self.module.wires[chunk.wire].width:
                high = low + chunk.width - 1
                part = f"{name}_{low}" if high == low else f"{name}_{high}_{low}"
                self.own_names.setdefault(chunk.wire, part)
            low += chunk.width

    def whole(self, spec: Spec) -> str | None:
        """The wire of which ``spec`` is all bits."""
        if len(spec) == 1 and spec[0].wire is not None:
            if spec[0].width == self.module.wires[spec[0].wire].width:
                return spec[0].wire
        return None

    def rename(self, renamed: dict[str, str]) -> None:
        """An output port that only repeats a wire takes the wire's place."""

        def fix(spec: Spec) -> Spec:
            return tuple(
                Chunk(renamed[chunk.wire], chunk.low, chunk.width)
                if chunk.wire in renamed
                else chunk
                for chunk in spec
            )

        self.substitute(fix)
        self.aliases = {alias: renamed.get(wire, wire) for alias, wire in self.aliases.items()}
        self.aliases.update(renamed)
        self.drivers = {renamed.get(wire, wire): cell for wire, cell in self.drivers.items()}
        for old, new in renamed.items():
            for key, value in self.module.wires.pop(old).attributes.items():
                self.module.wires[new].attributes.setdefault(key, value)
            self.own_names.pop(old, None)

    def substitute(self, change: Callable[[Spec], Spec]) -> None:
        """Replace signals wherever they stand."""
        for cell in self.module.cells:
            cell.ports = {port: change(spec) for port, spec in cell.ports.items()}
        for process in self.module.processes:
            process.body = map_specs(process.body, change)
        self.module.connections = [
            (target, change(value)) for target, value in self.module.connections
        ]
        self.outputs = {port: change(spec) for port, spec in self.outputs.items()}

    def fold_constants(self) -> None:
        """Amaranth computes with constants in hardware; a block that depends on nothing would
        never run."""
        while True:
            values = {}
            for wire, cell in self.drivers.items():
                inputs = [spec for port, spec in cell.ports.items() if port != "Y"]
                if all(chunk.wire is None for spec in inputs for chunk in spec):
                    value = evaluate(cell)
                    if value is not None:
                        width = self.module.wires[wire].width
                        values[wire] = format(value % 2**width, f"0{width}b")
            if not values:
                return
            for wire in values:
                cell = self.drivers.pop(wire)
                self.module.cells.remove(cell)
                if self.module.wires[wire].port is not None:
                    self.outputs[wire] = (Chunk(None, 0, len(values[wire]), values[wire]),)

            def fix(spec: Spec, values=values) -> Spec:
                if not any(chunk.wire in values for chunk in spec):
                    return spec
                return join_chunks(
                    tuple(
                        piece
                        for chunk in spec
                        for piece in (
                            slice_spec(
                                (Chunk(None, 0, len(values[chunk.wire]), values[chunk.wire]),),
                                chunk.low,
                                chunk.width,
                            )
                            if chunk.wire in values
                            else (chunk,)
                        )
                    )
                )

            self.substitute(fix)
            self.aliases = {
                alias: wire for alias, wire in self.aliases.items() if wire not in values
            }

    def sort_processes(self) -> None:
        for process in self.module.processes:
            body = splice(assignments_first(fold_constant_switches(process.body)))
            if body:
                self.processes[body[0].target[0].wire] = body
        for cell in self.flip_flops:
            (target,) = cell.ports["Q"]
            source = self.whole(cell.ports["D"])
            register = Register(
                target.wire,
                cell.ports["CLK"],
                bool(cell.parameters["CLK_POLARITY"]),
                (Assign(cell.ports["Q"], cell.ports["D"]),),
            )
            if source in self.processes:
                body = self.processes.pop(source)
                register.body = retarget(body, source, target.wire)
                if register.body[0] == Assign(cell.ports["Q"], cell.ports["Q"]):
                    register.body = register.body[1:]
            if cell.kind == "$adff":
                bits = cell.parameters["ARST_VALUE"]
                register.reset = cell.ports["ARST"]
                register.reset_body = (
                    Assign(cell.ports["Q"], (Chunk(None, 0, len(bits), str(bits)),)),
                )
                register.asynchronous = True
            else:
                self.hoist_reset(register)
            self.registers[target.wire] = register

    def hoist_reset(self, register: Register) -> None:
        """A last ``if (rst)`` that assigns a constant becomes the first, with the rest as its
        ``else``."""
        if not register.body or not isinstance(register.body[-1], Switch):
            return
        last = register.body[-1]
        if len(last.selector) != 1 or last.selector[0].width != 1 or len(last.cases) != 1:
            return
        ((patterns, body),) = last.cases
        if patterns != ("1",) or len(body) != 1 or not isinstance(body[0], Assign):
            return
        wire = self.module.wires[register.wire]
        constant = all(chunk.wire is None for chunk in body[0].value)
        if constant and spec_width(body[0].target) == wire.width:
            register.reset = last.selector
            register.reset_body = body
            register.body = register.body[:-1]

    def sources(self, wire: str) -> list[Spec]:
        """What the value of a wire depends on."""
        if wire in self.drivers:
            cell = self.drivers[wire]
            return [spec for port, spec in cell.ports.items() if port != "Y"]
        if wire in self.processes:
            return list(read_specs(self.processes[wire]))
        if wire in self.registers:
            register = self.registers[wire]
            specs = [register.clock, *read_specs(register.body)]
            return specs + ([register.reset] if register.reset else [])
        return []

    def roots(self) -> list[Spec]:
        specs = list(self.outputs.values())
        for wire in self.module.wires.values():
            if wire.port == "output" and wire.name not in self.outputs:
                specs.append((Chunk(wire.name, 0, wire.width),))
        for cell in self.instances:
            specs += [spec for port, spec in cell.ports.items() if port not in cell.outputs]
        for cell in self.checks:
            specs += [cell.ports["EN"], cell.ports["A"], cell.ports["TRG"]]
        return specs

    def drop_dead(self) -> None:
        """Keep what an output, a submodule or a check can see."""
        read_of = {}
        for cell in self.reads:
            read_of[cell.ports["DATA"][0].wire] = cell
        alive, live_memories, waiting = set(), set(), self.roots()
        while waiting:
            for chunk in waiting.pop():
                if chunk.wire is None or chunk.wire in alive:
                    continue
                alive.add(chunk.wire)
                waiting += self.sources(chunk.wire)
                if chunk.wire in read_of:
                    cell = read_of[chunk.wire]
                    waiting += [cell.ports["ADDR"], cell.ports["EN"], cell.ports["CLK"]]
                    memory = cell.parameters["MEMID"]
                    if memory not in live_memories:
                        live_memories.add(memory)
                        for write in self.writes:
                            if write.parameters["MEMID"] == memory:
                                waiting += write.ports.values()
        self.alive = alive
        self.drivers = {wire: cell for wire, cell in self.drivers.items() if wire in alive}
        self.processes = {wire: body for wire, body in self.processes.items() if wire in alive}
        self.registers = {wire: item for wire, item in self.registers.items() if wire in alive}
        self.reads = [cell for cell in self.reads if cell.ports["DATA"][0].wire in alive]
        self.writes = [cell for cell in self.writes if cell.parameters["MEMID"] in live_memories]
        self.live_memories = live_memories

    def all_reads(self) -> Iterable[Spec]:
        yield from self.roots()
        for wire in (*self.drivers, *self.processes, *self.registers):
            yield from self.sources(wire)
        for cell in self.reads:
            yield from (cell.ports["ADDR"], cell.ports["EN"], cell.ports["CLK"])
        for cell in self.writes:
            yield cell.ports["ADDR"]
            yield cell.ports["DATA"]
            yield cell.ports["CLK"]
            for _low, _width, enable in write_lanes(cell):
                yield enable

    def narrow(self) -> None:
        """Cut results to the bits that are read, and then their operands."""
        changed = True
        while changed:
            changed = False
            used = {}
            for spec in self.all_reads():
                for chunk in spec:
                    if chunk.wire:
                        top = chunk.low + chunk.width
                        used[chunk.wire] = max(used.get(chunk.wire, 0), top)
            for wire, cell in reversed(self.drivers.items()):
                width = used.get(wire, 0)
                if cell.kind not in LOW_BITS_ONLY | {"$mux"} or not self.is_temporary(wire):
                    continue
                if 0 < width < self.module.wires[wire].width:
                    self.module.wires[wire].width = width
                    cell.ports["Y"] = (Chunk(wire, 0, width),)
                    cell.parameters["Y_WIDTH"] = width
                    changed = True
                if self.narrow_operands(cell):
                    changed = True

    def narrow_operands(self, cell: Cell) -> bool:
        width = spec_width(cell.ports["Y"])
        changed = False
        for port in ("A", "B"):
            if port in cell.ports and spec_width(cell.ports[port]) > width:
                cell.ports[port] = slice_spec(cell.ports[port], 0, width)
                changed = True
        if "A_SIGNED" in cell.parameters and all(
            spec_width(cell.ports[port]) >= width for port in ("A", "B") if port in cell.ports
        ):
            # Nothing is extended, so signedness means nothing.
            cell.parameters["A_SIGNED"] = cell.parameters["B_SIGNED"] = 0
        return changed

    def is_temporary(self, wire: str) -> bool:
        """Whether nobody gave the wire a name that is worth keeping."""
        if self.module.wires[wire].port is not None or wire in self.own_names:
            return False
        return wire.startswith("$") or wire in self.borrowed
