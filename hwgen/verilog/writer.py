"""One RTLIL module of Amaranth's to Verilog that a person would write.

Yosys's own backend names each intermediate value and keeps every alias. Here values that are used
once become part of the expression that uses them, sums are cut to the bits that are read,
registers that share a clock and a reset share an ``always`` block with their conditions merged,
and one-hot choices become ``if`` / ``else if`` again.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .constants import evaluate
from .names import Namespace, plain
from .rtlil import Assign, Bits, Cell, Chunk, Memory, Module, Spec, Switch, spec_width

__all__ = ["Options", "Written", "write_module"]

WIDTH = 100
# An expression longer than this gets a name of its own.
INLINE_WIDTH = 64

# Operators whose low result bits depend on nothing but the low operand bits.
_LOW_BITS_ONLY = {"$add", "$sub", "$mul", "$neg", "$and", "$or", "$xor", "$not"}

_BITWISE = {"$and": "&", "$or": "|", "$xor": "^"}
_ARITHMETIC = {"$add": "+", "$sub": "-", "$mul": "*"}
_COMPARISON = {"$eq": "==", "$ne": "!=", "$lt": "<", "$le": "<=", "$gt": ">", "$ge": ">="}
_REDUCTION = {"$reduce_and": "&", "$reduce_or": "|", "$reduce_bool": "|", "$reduce_xor": "^"}

# What an unnamed value is called when it needs a name after all.
_KIND_NAMES = {
    "$add": "sum",
    "$sub": "difference",
    "$mul": "product",
    "$neg": "negative",
    "$not": "inverse",
    "$and": "masked",
    "$or": "merged",
    "$xor": "parity",
    "$mux": "selected",
    "$shl": "shifted",
    "$shr": "shifted",
    "$sshr": "shifted",
    "$shift": "part",
    "$divfloor": "quotient",
    "$modfloor": "remainder",
}

_ATOM, _UNARY, _MUL, _ADD, _SHIFT, _ORDER, _EQUAL, _AND, _XOR, _OR, _MUX = range(11)
_PRECEDENCE = {"*": _MUL, "+": _ADD, "-": _ADD, "<<": _SHIFT, ">>": _SHIFT, ">>>": _SHIFT}
_PRECEDENCE |= dict.fromkeys(("<", "<=", ">", ">="), _ORDER)
_PRECEDENCE |= {"==": _EQUAL, "!=": _EQUAL, "&": _AND, "^": _XOR, "|": _OR}


@dataclass(frozen=True)
class Options:
    """``init``: give registers and zeroed memories the power-on values that Amaranth's simulator
    uses."""

    init: bool = False


@dataclass(frozen=True)
class Written:
    """Verilog of a module, and what became of the names in its RTLIL."""

    text: str
    signals: dict[str, str]
    cells: dict[str, str]


@dataclass
class _Register:
    """A flip-flop, with the statements that say what it takes."""

    wire: str
    clock: Spec
    rising: bool
    body: tuple
    reset: Spec | None = None
    reset_body: tuple = ()
    asynchronous: bool = False


@dataclass
class _Text:
    """A piece of an expression and how tightly it binds."""

    text: str
    level: int = _ATOM


@dataclass
class _Lines:
    lines: list[str] = field(default_factory=list)

    def add(self, depth: int, text: str) -> None:
        self.lines.extend(_wrap("  " * depth + text))


def _wrap(line: str) -> list[str]:
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


def write_module(
    module: Module,
    *,
    name: str,
    comments: Iterable[str],
    submodules: dict[str, tuple[str, tuple[str, ...]]],
    borrowed: dict[str, str],
    instance_mark: str,
    port_order: Iterable[str],
    options: Options,
) -> Written:
    """Verilog of one module.

    ``submodules`` maps cell types to module names and their ports in order; ``borrowed`` says of
    wires that Amaranth named after a port of a submodule what to call them instead; cell names
    lose ``instance_mark``.
    """
    for index, port in enumerate(port_order):
        module.wires[f"\\{port}"].port_id = index
    writer = _Writer(module, submodules, borrowed, instance_mark, options)
    text = writer.write(name, comments)
    signals = {wire.removeprefix("\\"): name for wire, name in writer.names.items()}
    for alias, wire in writer.aliases.items():
        if wire in writer.names:
            signals.setdefault(alias.removeprefix("\\"), writer.names[wire])
    cells = {**writer.cell_names, **writer.memory_names}
    return Written(text, signals, {key.removeprefix("\\"): value for key, value in cells.items()})


class _Writer:
    def __init__(self, module, submodules, borrowed, instance_mark, options):
        self.module: Module = module
        self.submodules = {kind: name for kind, (name, _ports) in submodules.items()}
        self.port_orders = {kind: ports for kind, (_name, ports) in submodules.items()}
        self.borrowed = borrowed
        self.instance_mark = instance_mark
        self.options = options
        self.drivers: dict[str, Cell] = {}  # wire -> the operator that drives it
        self.processes: dict[str, tuple] = {}  # wire -> statements that assign it
        self.registers: dict[str, _Register] = {}
        self.reads: list[Cell] = []
        self.writes: list[Cell] = []
        self.instances: list[Cell] = []
        self.checks: list[Cell] = []
        self.initial_rows: dict[str, Spec] = {}
        self.outputs: dict[str, Spec] = {}
        self.own_names: dict[str, str] = {}  # wires the user named through an alias
        self.names: dict[str, str] = {}

    # Understanding the module

    def write(self, name: str, comments: Iterable[str]) -> str:
        self.sort_cells()
        self.sort_connections()
        self.fold_constants()
        self.sort_processes()
        self.drop_dead()
        self.narrow()
        self.named: set[str] = set()
        while True:
            self.choose_names()
            text = self.render(name, comments)
            if not self.late:
                return text
            # Some value turned out to need a name; name it in its turn, so that numbers count
            # upwards.
            self.named.update(self.late)

    def sort_cells(self) -> None:
        flip_flops = []
        for cell in self.module.cells:
            if not cell.kind.startswith("$"):
                self.instances.append(cell)
            elif cell.kind in ("$dff", "$adff"):
                flip_flops.append(cell)
            elif cell.kind == "$memrd_v2":
                self.reads.append(cell)
            elif cell.kind == "$memwr_v2":
                self.writes.append(cell)
            elif cell.kind == "$meminit_v2":
                self.initial_rows[cell.parameters["MEMID"]] = cell.ports["DATA"]
            elif cell.kind == "$check":
                self.checks.append(cell)
            elif "Y" in cell.ports and cell.kind in _RENDERED:
                (target,) = cell.ports["Y"]
                self.drivers[target.wire] = cell
            else:
                raise ValueError(f"{cell.kind} has no Verilog that all tools read")
        self.flip_flops = flip_flops

    def sort_connections(self) -> None:
        """Aliases are dropped, but their names are remembered; what is left are the outputs."""
        renamed = {}
        self.aliases: dict[str, str] = {}
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
            process.body = _map_specs(process.body, change)
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
                return _joined(
                    tuple(
                        piece
                        for chunk in spec
                        for piece in (
                            _slice(
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
            body = _splice(_assignments_first(_fold_constant_switches(process.body)))
            if body:
                self.processes[body[0].target[0].wire] = body
        for cell in self.flip_flops:
            (target,) = cell.ports["Q"]
            source = self.whole(cell.ports["D"])
            register = _Register(
                target.wire,
                cell.ports["CLK"],
                bool(cell.parameters["CLK_POLARITY"]),
                (Assign(cell.ports["Q"], cell.ports["D"]),),
            )
            if source in self.processes:
                body = self.processes.pop(source)
                register.body = _retarget(body, source, target.wire)
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

    def hoist_reset(self, register: _Register) -> None:
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

    # What is alive, and how it is used

    def sources(self, wire: str) -> list[Spec]:
        """What the value of a wire depends on."""
        if wire in self.drivers:
            cell = self.drivers[wire]
            return [spec for port, spec in cell.ports.items() if port != "Y"]
        if wire in self.processes:
            return list(_read_specs(self.processes[wire]))
        if wire in self.registers:
            register = self.registers[wire]
            specs = [register.clock, *_read_specs(register.body)]
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
            for _low, _width, enable in self.lanes(cell):
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
                if cell.kind not in _LOW_BITS_ONLY | {"$mux"} or not self.is_temporary(wire):
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
                cell.ports[port] = _slice(cell.ports[port], 0, width)
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

    # Names

    def choose_names(self) -> None:
        uses = {}
        for spec in self.all_reads():
            for chunk in spec:
                if chunk.wire:
                    uses[chunk.wire] = uses.get(chunk.wire, 0) + 1
        # A value that narrowing made equal to a named signal is that signal.
        for target, value in self.module.connections:
            source = self.whole(value)
            name = target[0].wire
            if source and source.startswith("$") and self.module.wires[name].port is None:
                if name not in self.borrowed:
                    self.own_names.setdefault(source, name)
        self.names = {}
        self.inlinable = {
            wire
            for wire in self.drivers
            if self.is_temporary(wire) and uses.get(wire, 0) == 1 and wire not in self.named
        }
        namespace = Namespace()
        for wire in sorted(self.module.wires.values(), key=lambda wire: wire.port_id):
            if wire.port is not None:
                self.names[wire.name] = namespace.add(self.bare(wire.name))
        self.cell_names = {}
        for cell in self.instances:
            name = cell.name.removeprefix("\\").removeprefix(self.instance_mark)
            self.cell_names[cell.name] = namespace.add(name)
        self.memory_names = {}
        for identifier, memory in self.module.memories.items():
            if identifier in self.live_memories:
                name = memory.name.removeprefix(self.instance_mark)
                self.memory_names[identifier] = namespace.add(name)
        # Names that a user chose go first, so that a derived one never takes them.
        chosen, derived = [], []
        for wire in self.module.wires:
            if wire in self.names or wire not in self.alive:
                continue
            own = self.own_names.get(wire)
            if own is None and not wire.startswith("$") and wire not in self.borrowed:
                own = wire
            (derived if own is None else chosen).append((wire, own))
        for wire, own in chosen:
            self.names[wire] = namespace.add(self.bare(own))
        outputs = self.instance_outputs()
        self.derived = []
        for wire, _own in derived:
            if wire in self.inlinable:
                self.derived.append(wire)
                continue
            self.names[wire] = namespace.add(self.derived_name(wire, outputs))
        self.namespace, self.output_names = namespace, outputs

    def instance_outputs(self) -> dict[str, str]:
        """Names for wires that come from a submodule or a memory: the instance's, and the
        port's."""
        names = {}
        for cell in self.instances:
            for port in cell.outputs:
                for chunk in cell.ports[port]:
                    names[chunk.wire] = f"{self.cell_names[cell.name]}_{port}"
        for cell in self.reads:
            memory = self.memory_names[cell.parameters["MEMID"]]
            names[cell.ports["DATA"][0].wire] = f"{memory}_data"
        return names

    def derived_name(self, wire: str, outputs: dict[str, str]) -> str:
        if wire in outputs:
            return outputs[wire]
        if wire in self.borrowed:
            return self.borrowed[wire]
        if self.module.wires[wire].width == 1 and wire in self.drivers:
            return "condition"
        if wire in self.drivers:
            return _KIND_NAMES.get(self.drivers[wire].kind, "flag")
        return "choice" if wire in self.processes else "value"

    @staticmethod
    def bare(wire: str) -> str:
        """The name without RTLIL's mark, and without the number that told it from its namesakes."""
        return re.sub(r"\$\d+", "", wire.removeprefix("\\"))

    def name_of(self, wire: str) -> str:
        if wire not in self.names:
            # Its only user could not take it in.
            self.names[wire] = self.namespace.add(self.derived_name(wire, self.output_names))
            self.inlinable.discard(wire)
            self.late.append(wire)
        return self.names[wire]

    # Expressions. Every operand is unsigned and of exactly the width of its RTLIL signal.
    # ``context`` is the width that the surrounding expression imposes, or None where the operand
    # stands alone; a wider context would reveal bits that RTLIL cuts off, so what cannot stand it
    # is refused (None) and becomes a wire.

    def chunk_text(self, chunk: Chunk) -> str:
        if chunk.wire is None:
            return _constant(chunk.bits)
        name = self.name_of(chunk.wire)
        width = self.module.wires[chunk.wire].width
        if chunk.width == width:
            return name
        if chunk.width == 1:
            return f"{name}[{chunk.low}]"
        return f"{name}[{chunk.low + chunk.width - 1}:{chunk.low}]"

    def operand(self, spec: Spec, context: int | None = None, top: bool = False) -> _Text:
        """Text of a signal; ``top`` says that it is the whole right side of an assignment."""
        wire = self.whole(spec)
        if wire in self.inlinable and wire not in self.names:
            text = self.operator(self.drivers[wire], context, top)
            if text is not None and (top or len(text.text) <= INLINE_WIDTH):
                self.inlined.add(wire)
                return text
            # Refused: name_of below gives it a name.
        if len(spec) == 1:
            return _Text(self.chunk_text(spec[0]))
        if not spec:
            return _Text("1'd0")
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
            return _Text(parts[0])
        return _Text("{" + ", ".join(parts) + "}")

    def plain_operand(self, spec: Spec) -> str:
        """Text of a signal that may not be an expression."""
        wire = self.whole(spec)
        return self.name_of(wire) if wire else self.operand(spec).text

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
        self.name_of(last.wire)
        sign = Chunk(last.wire, last.low + last.width - 1, 1)
        return (*spec, *([sign] * missing))

    def signed(self, spec: Spec) -> str:
        return f"$signed({self.operand(spec).text})"

    def binary(self, left: str | _Text, operator: str, right: str | _Text) -> _Text:
        level = _PRECEDENCE[operator]
        left = _Text(left) if isinstance(left, str) else left
        right = _Text(right) if isinstance(right, str) else right
        # Mixed operators get parentheses even where precedence would do: nobody remembers the
        # table.
        same = left.level == level and operator in "&|^+" and f" {operator} " in left.text
        left_text = left.text if _stands_alone(left) or same else f"({left.text})"
        right_text = right.text if _stands_alone(right) else f"({right.text})"
        return _Text(f"{left_text} {operator} {right_text}", level)

    def operator(self, cell: Cell, context: int | None, top: bool) -> _Text | None:
        return _RENDERED[cell.kind](self, cell, spec_width(cell.ports["Y"]), context, top)

    def write_not(self, cell, width, context, top):
        a = cell.ports["A"]
        if width == 1:
            text = self.operand(a)
            return _Text("!" + (text.text if text.level == _ATOM else f"({text.text})"), _UNARY)
        if context not in (None, width) or spec_width(a) != width:
            return None
        text = self.operand(a, context)
        return _Text("~" + (text.text if text.level == _ATOM else f"({text.text})"), _UNARY)

    def write_bitwise(self, cell, width, context, top):
        a, b = (self.extended(cell.ports[port], width) for port in "AB")
        if spec_width(a) > width or spec_width(b) > width:
            return None
        if context is None:
            return self.binary(self.operand(a), _BITWISE[cell.kind], self.operand(b))
        return self.binary(self.operand(a, context), _BITWISE[cell.kind], self.operand(b, context))

    def write_arithmetic(self, cell, width, context, top):
        operator = _ARITHMETIC[cell.kind]
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

    def fitting(self, spec: Spec, context: int | None) -> _Text:
        """An operand that the context may extend."""
        if context is None or spec_width(spec) == context:
            return self.operand(spec, context)
        wire = self.whole(spec)
        return _Text(self.name_of(wire)) if wire else self.operand(spec, context)

    def write_negate(self, cell, width, context, top):
        a = cell.ports["A"]
        signed = bool(cell.parameters["A_SIGNED"])
        if context not in (None, width) or (signed and not top):
            return None
        if signed and spec_width(a) == width - 1:
            return _Text(f"-{self.signed(a)}", _UNARY)
        text = self.operand(self.extended(a, width, signed))
        return _Text("-" + (text.text if text.level == _ATOM else f"({text.text})"), _UNARY)

    def write_comparison(self, cell, width, context, top):
        if width != 1:
            return None
        operator = _COMPARISON[cell.kind]
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
            return _Text("!" + (text.text if text.level == _ATOM else f"({text.text})"), _UNARY)
        return self.binary(self.operand(a, widest), operator, self.operand(b, widest))

    def constant_comparison(self, kind: str, a: Spec, b: Spec, width: int) -> _Text | None:
        """An unsigned comparison with the lowest or highest number is a constant or an equality."""
        mirrored = {"$lt": "$gt", "$gt": "$lt", "$le": "$ge", "$ge": "$le"}
        if kind not in mirrored:
            return None
        if all(chunk.wire is None for chunk in a):
            a, b, kind = b, a, mirrored[kind]
        bound = _constant_value(b)
        if bound is None:
            return None
        if kind in ("$le", "$gt") and bound < 2**width - 1:
            kind, bound = {"$le": "$lt", "$gt": "$ge"}[kind], bound + 1
        if bound == 0 or kind in ("$le", "$gt"):
            return _Text("1'd1" if kind in ("$ge", "$le") else "1'd0")
        if bound == 1:
            text = self.operand(a)
            if width == 1 and kind == "$ge":
                return text
            atom = text.text if text.level == _ATOM else f"({text.text})"
            if kind == "$ge":
                return _Text(f"|{atom}", _UNARY)
            return _Text(f"!{atom}", _UNARY) if width == 1 else _Text(f"~|{atom}", _UNARY)
        return None

    def write_reduction(self, cell, width, context, top):
        a = cell.ports["A"]
        if width != 1:
            return None
        if not a:
            return _Text("1'd1" if cell.kind == "$reduce_and" else "1'd0")
        text = self.operand(a)
        if spec_width(a) == 1:
            return text
        return _Text(
            _REDUCTION[cell.kind] + (text.text if text.level == _ATOM else f"({text.text})"), _UNARY
        )

    def write_mux(self, cell, width, context, top):
        condition = self.operand(cell.ports["S"])
        inner = context if context is not None else None
        yes, no = self.operand(cell.ports["B"], inner), self.operand(cell.ports["A"], inner)
        test = condition.text if condition.level <= _UNARY else f"({condition.text})"
        yes_text = f"({yes.text})" if yes.level == _MUX else yes.text
        no_text = f"({no.text})" if no.level == _MUX else no.text
        return _Text(f"{test} ? {yes_text} : {no_text}", _MUX)

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

    def write_part(self, a: Spec, b: Spec, width: int) -> _Text | None:
        """Some of the bits of a named signal, where all of them surely exist."""
        source = self.plain_operand(a)
        index = self.in_range(b, spec_width(a), width)
        if index is None or not re.fullmatch(r"\w+", source):
            return None
        return _Text(f"{source}[{index} +: {width}]" if width > 1 else f"{source}[{index}]")

    def in_range(self, offset: Spec, length: int, width: int) -> str | None:
        """Text of an index that provably selects existing bits, else None."""
        wire = self.whole(offset)
        cell = self.drivers.get(wire)
        stride = 1
        if cell is not None and cell.kind == "$mul" and wire in self.inlinable:
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
            self.inlined.add(wire)
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
        return _Text(f"{self.plain_operand(a)} {operator} {self.plain_operand(b)}", _MUL)

    # Statements

    def assignment(self, target: str, spec: Spec, operator: str) -> str:
        return f"{target} {operator} {self.operand(spec, spec_width(spec), top=True).text};"

    def statements(self, lines: _Lines, depth: int, body: tuple, operator: str) -> None:
        for statement in body:
            if isinstance(statement, Assign):
                target = self.operand(statement.target).text
                lines.add(depth, self.assignment(target, statement.value, operator))
            else:
                self.switch(lines, depth, statement, operator)

    def switch(self, lines: _Lines, depth: int, switch: Switch, operator: str) -> None:
        conditions = self.conditions(switch)
        if conditions is not None:
            self.if_chain(lines, depth, switch, conditions, operator)
            return
        if _overlap(switch):
            self.match_chain(lines, depth, switch, operator)
            return
        wild = any("-" in pattern for patterns, _body in switch.cases for pattern in patterns)
        lines.add(depth, f"{'casez' if wild else 'case'} ({self.operand(switch.selector).text})")
        complete = False
        has_default = any(not patterns for patterns, _body in switch.cases)
        for patterns, body in switch.cases:
            if complete:
                break
            if not patterns:
                complete = True
            if not body and not (wild or has_default):
                continue
            label = ", ".join(map(_pattern, patterns)) if patterns else "default"
            self.block(lines, depth + 1, f"{label}:", body, operator)
        if not complete:
            lines.add(depth + 1, "default: ;")
        lines.add(depth, "endcase")

    def block(self, lines: _Lines, depth: int, head: str, body: tuple, operator: str) -> None:
        if not body:
            lines.add(depth, f"{head} ;" if head.endswith(":") else f"{head} begin end")
            return
        if len(body) == 1 and isinstance(body[0], Assign):
            inner = _Lines()
            self.statements(inner, 0, body, operator)
            if len(inner.lines) == 1 and 2 * depth + len(head) + len(inner.lines[0]) < WIDTH:
                lines.add(depth, f"{head} {inner.lines[0]}")
                return
            lines.add(depth, f"{head} begin")
            for line in inner.lines:
                lines.add(depth + 1, line)
        else:
            lines.add(depth, f"{head} begin")
            self.statements(lines, depth + 1, body, operator)
        lines.add(depth, "end")

    def conditions(self, switch: Switch) -> list[tuple[Spec, bool] | None] | None:
        """For each case the one bit it tests, None for the default; or None if a case tests
        more."""
        conditions = []
        for patterns, _body in switch.cases:
            if not patterns:
                conditions.append(None)
                continue
            if len(patterns) != 1:
                return None
            (pattern,) = patterns
            tested = [index for index, bit in enumerate(reversed(pattern)) if bit != "-"]
            if len(tested) != 1:
                return None
            bit = _slice(switch.selector, tested[0], 1)
            conditions.append((bit, pattern[len(pattern) - 1 - tested[0]] == "1"))
        return conditions

    def match_chain(self, lines: _Lines, depth: int, switch: Switch, operator: str) -> None:
        """Patterns of which several may match: the first counts, so it is a chain of tests."""
        selector = switch.selector
        if len(selector) == 1 and selector[0].wire is not None:
            self.name_of(selector[0].wire)
        head = "if"
        for patterns, body in switch.cases:
            if not patterns:
                self.block(lines, depth, "else" if head != "if" else "if (1'd1)", body, operator)
                return
            tests = [self.match(selector, pattern) for pattern in dict.fromkeys(patterns)]
            self.block(lines, depth, f"{head} ({' || '.join(tests)})", body, operator)
            head = "else if"

    def match(self, selector: Spec, pattern: str) -> str:
        """Test of the bits that a pattern names."""
        tests = []
        for run in re.finditer("[01]+", pattern):
            low = len(pattern) - run.end()
            text = self.operand(_slice(selector, low, len(run[0]))).text
            tests.append(f"{text} == {_constant(run[0])}")
        if not tests:
            return "1'd1"
        return tests[0] if len(tests) == 1 else f"({' && '.join(tests)})"

    def if_chain(self, lines, depth, switch, conditions, operator) -> None:
        cases = [
            (condition, body)
            for condition, (_patterns, body) in zip(conditions, switch.cases, strict=True)
        ]
        # Both values of one bit: the second needs no test.
        for index in range(1, len(cases)):
            (before, _), (now, body) = cases[index - 1], cases[index]
            if before and now and before[0] == now[0] and before[1] != now[1]:
                cases[index:] = [(None, body)]
                break
        while cases and not cases[-1][1]:
            cases.pop()
        if len(cases) == 2 and not cases[0][1] and cases[1][0] is None:
            (bit, value), _body = cases[0]
            cases = [((bit, not value), cases[1][1])]
        chunks = []
        for index, (condition, body) in enumerate(cases):
            if condition is None:
                head = "else"
            else:
                text = self.operand(condition[0])
                test = text.text
                if not condition[1]:
                    test = f"!{test}" if text.level == _ATOM else f"!({test})"
                head = f"if ({test})" if index == 0 else f"else if ({test})"
            chunk = _Lines()
            self.block(chunk, depth, head, body, operator)
            chunks.append(chunk.lines)
            if condition is None:
                break
        for chunk in chunks:
            if (
                lines.lines
                and chunk[0].lstrip().startswith("else")
                and lines.lines[-1] == "  " * depth + "end"
            ):
                lines.lines[-1] += " " + chunk[0].lstrip()
                chunk = chunk[1:]
            lines.lines.extend(chunk)

    # The module's parts

    def render(self, name: str, comments: Iterable[str]) -> str:
        self.late: list[str] = []
        self.inlined: set[str] = set()
        parts: dict[int, list[str]] = {}
        order = {wire: index for index, wire in enumerate(self.module.wires)}

        registers = self.register_blocks()
        checks = [line for cell in self.checks for line in self.check(cell)]
        memories = self.memory_blocks()
        instances = [self.instance(cell) for cell in self.instances]
        outputs = []
        for port, value in self.outputs.items():
            text = self.operand(value, spec_width(value), top=True).text
            outputs += _wrap(f"  assign {self.names[port]} = {text};")
        for wire in self.drivers:
            if wire not in self.inlinable:
                parts[order[wire]] = self.driver(wire)
        for wire, body in self.processes.items():
            parts[order[wire]] = self.combinational(wire, body)
        for wire in self.late:  # grows while it is walked
            parts[order[wire]] = self.driver(wire)

        lines = [f"// {comment}".rstrip() for comment in comments]
        lines += self.header(name)
        declarations = self.declarations()
        blocks = [declarations] + [block for block in memories if block]
        simple = [line for index in sorted(parts) for line in parts[index]]
        blocks += [_spaced(simple), *instances, *registers, outputs, checks]
        for block in blocks:
            if block:
                lines += ["", *block]
        return "\n".join([*lines, "endmodule", ""])

    def header(self, name: str) -> list[str]:
        ports = sorted(
            (wire for wire in self.module.wires.values() if wire.port),
            key=lambda wire: wire.port_id,
        )
        if not ports:
            return [f"module {name};"]
        ranges = {wire.name: _range(wire.width) for wire in ports}
        widest = max(map(len, ranges.values()))
        lines = [f"module {name} ("]
        for index, wire in enumerate(ports):
            kind = "reg " if wire.name in self.variables() else "wire"
            comma = "," if index + 1 < len(ports) else ""
            span = f"{ranges[wire.name]:>{widest}} " if widest else ""
            lines.append(f"  {wire.port:<6} {kind} {span}{self.names[wire.name]}{comma}")
        return [*lines, ");"]

    def variables(self) -> set[str]:
        """Wires that are assigned in an always block."""
        if not hasattr(self, "_variables"):
            self._variables = set(self.registers)
            self._variables |= {wire for wire in self.processes if self.ternary(wire) is None}
            self._variables |= {
                cell.ports["DATA"][0].wire for cell in self.reads if cell.parameters["CLK_ENABLE"]
            }
        return self._variables

    def declarations(self) -> list[str]:
        lines = []
        wires = [
            wire
            for wire in self.module.wires.values()
            if wire.port is None and wire.name in self.names
        ]
        widest = max((len(_range(wire.width)) for wire in wires), default=0)
        for wire in wires:
            kind = "reg " if wire.name in self.variables() else "wire"
            attributes = _attributes(wire.attributes)
            init = ""
            if self.options.init and wire.name in self.registers and wire.init is not None:
                init = f" = {_constant(wire.init)}"
            span = f"{_range(wire.width):>{widest}} " if widest else ""
            lines.append(f"  {attributes}{kind} {span}{self.names[wire.name]}{init};")
        return lines

    def driver(self, wire: str) -> list[str]:
        cell = self.drivers[wire]
        width = self.module.wires[wire].width
        name = self.names[wire]
        text = self.operator(cell, width, True)
        if text is not None:
            return _wrap(f"  assign {name} = {text.text};")
        return self.spelled_out(cell, name, width)

    def spelled_out(self, cell: Cell, name: str, width: int) -> list[str]:
        """Operators that take more than an expression: their operands are wider than their result,
        or floor."""
        a_width = spec_width(cell.ports["A"])
        if cell.kind in ("$shift", "$shr", "$sshr") and a_width > width:
            wide = self.namespace.add(f"{name}_shifted")
            signed = cell.kind != "$shr" and cell.parameters["A_SIGNED"]
            a = self.signed(cell.ports["A"]) if signed else self.plain_operand(cell.ports["A"])
            text = self.binary(a, ">>>" if signed else ">>", self.operand(cell.ports["B"])).text
            return [
                *_wrap(f"  wire {_range(a_width)} {wide} = {text};"),
                f"  assign {name} = {wide}{_range(width) or '[0]'};",
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
            part: self.namespace.add(f"{name}_{part}")
            for part in ("dividend", "divisor", "quotient", "remainder", "inexact", "result")
        }
        kind = f"wire {'signed ' if signed else ''}{_range(widest)}"
        a_text = self.operand(self.extended(a, widest, signed)).text
        b_text = self.operand(self.extended(b, widest, signed)).text
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
                minus = _constant("1" * widest)
                lines += [
                    f"  {kind} {quotient} = {dividend} / {divisor};",
                    f"  wire {_range(widest)} {result} ="
                    f" {inexact} ? {quotient} + {minus} : {quotient};",
                ]
            else:
                lines += [
                    f"  wire {_range(widest)} {result} ="
                    f" {inexact} ? {remainder} + {divisor} : {remainder};"
                ]
        part = (_range(width) or "[0]") if width < widest else ""
        lines.append(f"  assign {name} = {names['result']}{part};")
        return [piece for line in lines for piece in _wrap(line)]

    def ternary(self, wire: str) -> tuple[Spec, Spec, Spec] | Spec | None:
        """A process that is one plain choice, as (condition, then, else); or the value if there is
        no choice."""
        body = self.processes[wire]
        target = body[0].target
        if len(body) == 1:
            return ("value", body[0].value)
        if len(body) != 2 or not isinstance(body[1], Switch):
            return None
        conditions = self.conditions(body[1])
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

    def combinational(self, wire: str, body: tuple) -> list[str]:
        name = self.names[wire]
        choice = self.ternary(wire)
        if choice is not None and choice[0] == "value":
            text = self.operand(choice[1], spec_width(choice[1]), top=True).text
            return _wrap(f"  assign {name} = {text};")
        if choice is not None:
            _kind, condition, yes, no = choice
            width = spec_width(yes)
            test = self.operand(condition)
            test_text = test.text if test.level <= _UNARY else f"({test.text})"
            yes_text, no_text = (self.operand(value, width) for value in (yes, no))
            yes_text = f"({yes_text.text})" if yes_text.level == _MUX else yes_text.text
            return _wrap(f"  assign {name} = {test_text} ? {yes_text} : {no_text.text};")
        lines = _Lines()
        lines.add(1, "always @* begin")
        self.statements(lines, 2, body, "=")
        lines.add(1, "end")
        return lines.lines

    def register_blocks(self) -> list[list[str]]:
        """Registers with the same clock and reset share a block, and equal conditions are tested
        once."""
        groups: dict[tuple, list[_Register]] = {}
        for register in self.registers.values():
            key = (register.clock, register.rising, register.reset, register.asynchronous)
            groups.setdefault(key, []).append(register)
        blocks = []
        for (clock, rising, reset, asynchronous), registers in groups.items():
            body: tuple = ()
            resets: tuple = ()
            for register in registers:
                body = _merge(body, register.body)
                resets += register.reset_body
            edge = "posedge" if rising else "negedge"
            sensitivity = f"{edge} {self.plain_operand(clock)}"
            if asynchronous:
                sensitivity += f" or posedge {self.plain_operand(reset)}"
            lines = _Lines()
            lines.add(1, f"always @({sensitivity}) begin")
            if reset is None:
                self.statements(lines, 2, body, "<=")
            else:
                lines.add(2, f"if ({self.operand(reset).text}) begin")
                self.statements(lines, 3, resets, "<=")
                if body:
                    lines.add(2, "end else begin")
                    self.statements(lines, 3, body, "<=")
                lines.add(2, "end")
            lines.add(1, "end")
            blocks.append(lines.lines)
        return blocks

    def lanes(self, cell: Cell) -> list[tuple[int, int, Spec]]:
        """Neighbouring data bits that share a write enable: (low bit, width, enable)."""
        lanes = []
        position = 0
        for chunk in cell.ports["EN"]:
            for offset in range(chunk.width):
                if chunk.wire is None:
                    bit = Chunk(None, 0, 1, chunk.bits[chunk.width - 1 - offset])
                else:
                    bit = Chunk(chunk.wire, chunk.low + offset, 1)
                if lanes and lanes[-1][2] == (bit,):
                    low, width, enable = lanes[-1]
                    lanes[-1] = (low, width + 1, enable)
                else:
                    lanes.append((position, 1, (bit,)))
                position += 1
        return lanes

    def memory_blocks(self) -> list[list[str]]:
        blocks = []
        for identifier, memory in self.module.memories.items():
            if identifier not in self.live_memories:
                continue
            name = self.memory_names[identifier]
            lines = self.memory_declaration(memory, name, self.initial_rows.get(identifier, ()))
            writes = [cell for cell in self.writes if cell.parameters["MEMID"] == identifier]
            for cell in writes:
                lines += self.write_port(cell, name, memory)
            for cell in self.reads:
                if cell.parameters["MEMID"] == identifier:
                    lines += self.read_port(cell, name, writes)
            blocks.append(lines)
        return blocks

    def memory_declaration(self, memory: Memory, name: str, rows: Spec) -> list[str]:
        attributes = _attributes(memory.attributes)
        lines = [f"  {attributes}reg {_range(memory.width)} {name} [0:{memory.depth - 1}];"]
        bits = "".join(chunk.bits for chunk in reversed(rows)) or "0" * memory.width * memory.depth
        if "1" not in bits and not self.options.init:
            return lines
        lines.append("  initial begin")
        for row in range(memory.depth):
            end = len(bits) - row * memory.width
            lines.append(f"    {name}[{row}] = {_constant(bits[end - memory.width : end])};")
        return [*lines, "  end"]

    def write_port(self, cell: Cell, name: str, memory: Memory) -> list[str]:
        lines = _Lines()
        lines.add(1, f"always @({self.edge(cell)}) begin")
        address = self.plain_operand(cell.ports["ADDR"])
        for low, width, enable in self.lanes(cell):
            if enable[0].wire is None and enable[0].bits == "0":
                continue
            part = "" if width == memory.width else f"[{low + width - 1}:{low}]"
            if width == 1 and part:
                part = f"[{low}]"
            data = self.operand(_slice(cell.ports["DATA"], low, width)).text
            statement = f"{name}[{address}]{part} <= {data};"
            if enable[0].wire is not None:
                statement = f"if ({self.operand(enable).text}) {statement}"
            lines.add(2, statement)
        lines.add(1, "end")
        return lines.lines

    def edge(self, cell: Cell) -> str:
        edge = "posedge" if cell.parameters["CLK_POLARITY"] else "negedge"
        return f"{edge} {self.plain_operand(cell.ports['CLK'])}"

    def read_port(self, cell: Cell, name: str, writes: list[Cell]) -> list[str]:
        data = self.names[cell.ports["DATA"][0].wire]
        address = self.plain_operand(cell.ports["ADDR"])
        if not cell.parameters["CLK_ENABLE"]:
            return _wrap(f"  assign {data} = {name}[{address}];")
        transparent = _mask(cell.parameters["TRANSPARENCY_MASK"])
        body = [f"{data} <= {name}[{address}];"]
        for write in writes:
            if not transparent >> write.parameters["PORTID"] & 1:
                continue
            write_address = self.plain_operand(write.ports["ADDR"])
            for low, width, enable in self.lanes(write):
                part = (
                    "" if width == spec_width(cell.ports["DATA"]) else f"[{low + width - 1}:{low}]"
                )
                value = self.operand(_slice(write.ports["DATA"], low, width)).text
                test = f"{write_address} == {address}"
                if enable[0].wire is not None:
                    test = f"{self.operand(enable).text} && {test}"
                elif enable[0].bits == "0":
                    continue
                body.append(f"if ({test}) {data}{part} <= {value};")
        enable = cell.ports["EN"]
        test = "" if enable[0].wire is None else f"if ({self.operand(enable).text}) "
        lines = _Lines()
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

    def instance(self, cell: Cell) -> list[str]:
        kind = self.submodules.get(cell.kind.removeprefix("\\"), cell.kind.removeprefix("\\"))
        parameters = ", ".join(
            f".{key}({_parameter(value)})" for key, value in cell.parameters.items()
        )
        head = f"  {_attributes(cell.attributes)}{kind} "
        head += f"#({parameters}) " if parameters else ""
        lines = [f"{head}{self.cell_names[cell.name]} ("]
        connections = []
        order = self.port_orders.get(cell.kind.removeprefix("\\"), ())
        places = {port: place for place, port in enumerate(order)}
        for port, spec in sorted(cell.ports.items(), key=lambda item: places.get(item[0], 0)):
            if port in cell.outputs:
                text = "" if not spec or spec[0].wire not in self.alive else self.operand(spec).text
            else:
                text = self.operand(spec).text
            connections.append(f"    .{port}({text})")
        for index, connection in enumerate(connections):
            comma = "," if index + 1 < len(connections) else ""
            lines += _wrap(connection + comma)
        return [*lines, "  );"]

    def check(self, cell: Cell) -> list[str]:
        """Assertions speak in simulation; synthesis never sees them."""
        flavor = cell.parameters["FLAVOR"]
        if flavor != "assert":
            return []
        enable, test = self.operand(cell.ports["EN"]), self.operand(cell.ports["A"])
        message = re.sub(r"\{.*?\}", "?", cell.parameters["FORMAT"]).replace('"', "'")
        message = re.sub(r"[\n\\%]", " ", message) or "assertion failed"
        edge = "*"
        if cell.parameters["TRG_ENABLE"]:
            side = "posedge" if _mask(cell.parameters["TRG_POLARITY"]) else "negedge"
            edge = f"({side} {self.plain_operand(cell.ports['TRG'])})"
        condition = f"!({test.text})"
        if cell.ports["EN"][0].wire is not None:
            left = enable.text if enable.level <= _UNARY else f"({enable.text})"
            condition = f"{left} && {condition}"
        return [
            "`ifndef SYNTHESIS",
            f"  always @{edge} begin",
            *_wrap(f"    if ({condition}) begin"),
            f'      $display("%m: {message}");',
            "      $stop;",
            "    end",
            "  end",
            "`endif",
        ]


_RENDERED: dict[str, Callable] = {
    "$not": _Writer.write_not,
    **dict.fromkeys(_BITWISE, _Writer.write_bitwise),
    **dict.fromkeys(_ARITHMETIC, _Writer.write_arithmetic),
    **dict.fromkeys(_COMPARISON, _Writer.write_comparison),
    **dict.fromkeys(_REDUCTION, _Writer.write_reduction),
    "$neg": _Writer.write_negate,
    "$mux": _Writer.write_mux,
    "$shl": _Writer.write_shift_left,
    "$shr": _Writer.write_shift_right,
    "$sshr": _Writer.write_shift_right,
    "$shift": _Writer.write_shift_right,
    "$divfloor": _Writer.write_divide,
    "$modfloor": _Writer.write_divide,
}


def _stands_alone(text: _Text) -> bool:
    """Whether a piece can be an operand as it is; ``a | |b`` could, but nobody could read it."""
    return text.level == _ATOM or (text.level == _UNARY and text.text[0] not in "&|^-")


def _overlap(switch: Switch) -> bool:
    """Whether some value matches patterns of two cases, or one case twice."""
    patterns = [pattern for patterns, _body in switch.cases for pattern in patterns]
    if not any("-" in pattern for pattern in patterns):
        return len(set(patterns)) < len(patterns)
    return any(
        all(a == b or "-" in (a, b) for a, b in zip(first, second, strict=True))
        for index, first in enumerate(patterns)
        for second in patterns[:index]
    )


def _slice(spec: Spec, low: int, width: int) -> Spec:
    """``width`` bits of a signal from bit ``low`` on."""
    found = []
    for chunk in spec:
        start, stop = max(low, 0), min(low + width, chunk.width)
        if start < stop:
            bits = chunk.bits[chunk.width - stop : chunk.width - start]
            base = 0 if chunk.wire is None else chunk.low + start
            found.append(Chunk(chunk.wire, base, stop - start, bits))
        low -= chunk.width
    return tuple(found)


def _map_specs(body: tuple, change: Callable[[Spec], Spec]) -> tuple:
    mapped = []
    for statement in body:
        if isinstance(statement, Assign):
            mapped.append(Assign(change(statement.target), change(statement.value)))
        else:
            cases = tuple(
                (patterns, _map_specs(case, change)) for patterns, case in statement.cases
            )
            mapped.append(Switch(change(statement.selector), cases))
    return tuple(mapped)


def _retarget(body: tuple, old: str, new: str) -> tuple:
    """Assign ``new`` instead of ``old``."""
    mapped = []
    for statement in body:
        if isinstance(statement, Assign):
            target = tuple(
                Chunk(new if chunk.wire == old else chunk.wire, chunk.low, chunk.width)
                for chunk in statement.target
            )
            mapped.append(Assign(target, statement.value))
        else:
            cases = tuple(
                (patterns, _retarget(case, old, new)) for patterns, case in statement.cases
            )
            mapped.append(Switch(statement.selector, cases))
    return tuple(mapped)


def _read_specs(body: tuple) -> Iterable[Spec]:
    for statement in body:
        if isinstance(statement, Assign):
            yield statement.value
        else:
            yield statement.selector
            for _patterns, case in statement.cases:
                yield from _read_specs(case)


def _fold_constant_switches(body: tuple) -> tuple:
    """A choice by a constant is no choice; without this a block would be sensitive to nothing."""
    folded = []
    for statement in body:
        if isinstance(statement, Assign):
            if statement.target:
                folded.append(statement)
            continue
        cases = tuple(
            (patterns, _fold_constant_switches(case)) for patterns, case in statement.cases
        )
        if not any(case for _patterns, case in cases):
            continue
        if any(chunk.wire for chunk in statement.selector):
            folded.append(Switch(statement.selector, cases))
            continue
        value = "".join(chunk.bits for chunk in reversed(statement.selector))
        for patterns, case in cases:
            if not patterns or any(
                all(bit in ("-", wanted) for bit, wanted in zip(pattern, value, strict=True))
                for pattern in patterns
            ):
                folded += case
                break
    return tuple(folded)


def _assignments_first(body: tuple) -> tuple:
    """Move each assignment before the choices that it overrides, and take its bits out of them.

    Yosys 0.70 gives the choice precedence when some bits are assigned after it inside of another
    choice.
    """
    first: list[Assign] = []
    choices: list[Switch] = []
    for statement in body:
        if isinstance(statement, Switch):
            cases = tuple(
                (patterns, _assignments_first(case)) for patterns, case in statement.cases
            )
            choices.append(Switch(statement.selector, cases))
            continue
        for chunk in statement.target:
            choices = list(_without(tuple(choices), chunk))
        first.append(statement)
    return (*first, *choices)


def _without(body: tuple, hidden: Chunk) -> tuple:
    """Statements without what they assign to some bits, or nothing where nothing is left."""
    left = []
    for statement in body:
        if isinstance(statement, Switch):
            cases = tuple((patterns, _without(case, hidden)) for patterns, case in statement.cases)
            if any(case for _patterns, case in cases):
                left.append(Switch(statement.selector, cases))
            continue
        low = 0
        for chunk in statement.target:
            start, stop = chunk.low, chunk.low + chunk.width
            cuts = [(start, stop)]
            if chunk.wire == hidden.wire:
                cuts = [
                    (start, min(stop, hidden.low)),
                    (max(start, hidden.low + hidden.width), stop),
                ]
            for begin, end in cuts:
                if begin < end:
                    value = _slice(statement.value, low + begin - start, end - begin)
                    left.append(Assign((Chunk(chunk.wire, begin, end - begin),), value))
            low += chunk.width
    return tuple(left)


def _splice(body: tuple) -> tuple:
    """Make one of the first assignment, which is to all bits, and those to some bits that follow
    it."""
    count = 1
    while count < len(body) and isinstance(body[count], Assign):
        count += 1
    if count == 1 or not body:
        return body
    target, value = body[0].target, body[0].value
    base, width = target[0].low, spec_width(target)
    for statement in body[1:count]:
        source = statement.value
        for chunk in statement.target:
            low = chunk.low - base
            value = (
                *_slice(value, 0, low),
                *_slice(source, 0, chunk.width),
                *_slice(value, low + chunk.width, width - low - chunk.width),
            )
            source = _slice(source, chunk.width, spec_width(source) - chunk.width)
    return (Assign(target, _joined(value)), *body[count:])


def _joined(spec: Spec) -> Spec:
    """The same signal with neighbouring pieces joined."""
    joined: list[Chunk] = []
    for chunk in spec:
        last = joined[-1] if joined else None
        if last and last.wire is None and chunk.wire is None:
            bits = chunk.bits + last.bits
            joined[-1] = Chunk(None, 0, len(bits), bits)
        elif last and last.wire == chunk.wire and last.low + last.width == chunk.low:
            joined[-1] = Chunk(last.wire, last.low, last.width + chunk.width)
        else:
            joined.append(chunk)
    return tuple(joined)


def _merge(first: tuple, second: tuple) -> tuple:
    """Join two lists of statements about different registers, testing equal conditions once."""
    merged = list(first)
    position = 0
    for statement in second:
        if isinstance(statement, Switch):
            for index in range(position, len(merged)):
                other = merged[index]
                if (
                    isinstance(other, Switch)
                    and other.selector == statement.selector
                    and [patterns for patterns, _ in other.cases]
                    == [patterns for patterns, _ in statement.cases]
                ):
                    cases = tuple(
                        (patterns, _merge(body, added))
                        for (patterns, body), (_, added) in zip(
                            other.cases, statement.cases, strict=True
                        )
                    )
                    merged[index] = Switch(other.selector, cases)
                    position = index
                    break
            else:
                merged.append(statement)
                position = len(merged)
        else:
            merged.append(statement)
            position = len(merged)
    return tuple(merged)


def _constant_value(spec: Spec) -> int | None:
    if any(chunk.wire is not None for chunk in spec):
        return None
    return int("".join(chunk.bits for chunk in reversed(spec)) or "0", 2)


def _constant(bits: str) -> str:
    width = len(bits)
    if set(bits) - set("01"):
        return f"{width}'b{bits.replace('-', 'z')}"
    value = int(bits, 2)
    if width <= 4 or value < 10:
        return f"{width}'d{value}"
    return f"{width}'h{value:x}"


def _pattern(pattern: str) -> str:
    if "-" in pattern:
        return f"{len(pattern)}'b{pattern.replace('-', '?')}"
    return _constant(pattern)


def _mask(value: object) -> int:
    return int(value, 2) if isinstance(value, Bits) and value else int(value or 0)


def _parameter(value: object) -> str:
    if isinstance(value, Bits):
        return f"{len(value)}'b{value}"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def _attributes(attributes: dict) -> str:
    """Attributes that mean something to a synthesizer."""
    kept = [
        f"{plain(key)} = {_parameter(value)}"
        for key, value in attributes.items()
        if key not in ("init", "src", "generator", "top") and not key.startswith("enum_")
    ]
    return f"(* {', '.join(kept)} *) " if kept else ""


def _range(width: int) -> str:
    return f"[{width - 1}:0]" if width > 1 else ""


def _spaced(lines: list[str]) -> list[str]:
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
