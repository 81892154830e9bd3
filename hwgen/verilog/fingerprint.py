"""Telling that two fragments say the same, without lowering both.

Lowering is most of the time that emission takes, and most of a design are repetitions. Equal
fingerprints mean equal statements about signals of equal shape, name and initial value, so
lowering would give equal RTLIL.
"""

import hashlib

from amaranth.hdl import Fragment, Instance, _ast, _mem

__all__ = ["Fingerprint"]


class Fingerprint:
    """Of a fragment whose children have been replaced by instances, with its ports.

    ``signals`` gives each signal its place in the order in which it is met; in two fragments with
    the same ``digest``, signals in the same place correspond.
    """

    def __init__(self, fragment: Fragment, ports: list):
        self.signals = _ast.SignalDict()
        self._seen: dict[int, int] = {}
        self._words: list[str] = []
        for name, signal, direction in ports:
            self._put("port", name, direction.value)
            self._value(signal)
        for domain_name, statements in fragment.statements.items():
            self._domain(fragment, domain_name)
            self._statements(statements)
        for child, name, _src_loc in fragment.subfragments:
            self._put("child", type(child).__name__, name)
            if isinstance(child, Instance):
                self._instance(child)
            elif isinstance(child, _mem.MemoryInstance):
                self._memory(child)
            else:
                # Input and output buffers belong to the pins of one place.
                self._put("unique", id(child))
        self.digest = hashlib.sha256("\0".join(self._words).encode()).hexdigest()

    def _put(self, *words: object) -> None:
        self._words.extend(map(str, words))

    def _domain(self, fragment: Fragment, name: str) -> None:
        self._put("domain", name)
        if name == "comb":
            return
        domain = fragment.domains[name]
        self._put(domain.clk_edge, domain.async_reset, domain.rst is None)
        self._value(domain.clk)
        if domain.rst is not None:
            self._value(domain.rst)

    def _instance(self, instance: Instance) -> None:
        self._put(instance.type, repr(dict(instance.parameters)), repr(dict(instance.attrs)))
        for name, (value, direction) in instance.ports.items():
            self._put(name, direction)
            if isinstance(value, _ast.IOValue):
                self._put("unique", id(instance))
            else:
                self._value(value)

    def _memory(self, memory: _mem.MemoryInstance) -> None:
        data = memory._data
        self._put(_ast.Shape.cast(data.shape).width, data.depth, repr(dict(memory._attrs)))
        self._put(data._init._raw)
        for port in (*memory._write_ports, *memory._read_ports):
            self._put(type(port).__name__, getattr(port, "_transparent_for", ()))
            self._domain(memory, port._domain)
            for value in (port._addr, port._data, port._en):
                self._value(value)

    def _statements(self, statements) -> None:
        for statement in statements:
            self._put(type(statement).__name__)
            match statement:
                case _ast.Assign():
                    self._value(statement.lhs)
                    self._value(statement.rhs)
                case _ast.Switch():
                    self._value(statement.test)
                    for patterns, body, _src_loc in statement.cases:
                        self._put("case", patterns)
                        self._statements(body)
                    self._put("end")
                case _:
                    # Assertions and prints are few, and their formats rich.
                    self._put("unique", id(statement))

    def _value(self, value: _ast.Value) -> None:
        if isinstance(value, _ast.Signal):
            place = self.signals.get(value)
            if place is None:
                self.signals[value] = place = len(self.signals)
                shape = value.shape()
                self._put(value.name, shape.width, shape.signed, value.init, value.reset_less)
                self._put(repr(dict(value.attrs)))
            self._put("signal", place)
            return
        if id(value) in self._seen:
            self._put("again", self._seen[id(value)])
            return
        self._seen[id(value)] = len(self._seen)
        match value:
            case _ast.Const():
                self._put("const", value.value, len(value), value.shape().signed)
            case _ast.Operator():
                self._put("operator", value.operator, len(value.operands))
                for operand in value.operands:
                    self._value(operand)
            case _ast.Slice():
                self._put("slice", value.start, value.stop)
                self._value(value.value)
            case _ast.Part():
                self._put("part", value.width, value.stride)
                self._value(value.value)
                self._value(value.offset)
            case _ast.Concat():
                self._put("concat", len(value.parts))
                for part in value.parts:
                    self._value(part)
            case _ast.SwitchValue():
                self._put("choice", len(value.cases))
                self._value(value.test)
                for patterns, choice in value.cases:
                    self._put(patterns)
                    self._value(choice)
            case _:
                self._put("unique", id(value))
