"""From a hierarchy of Amaranth components to one RTLIL module per distinct component.

Amaranth resolves the whole design into nets before it cuts the nets into modules again. An input
that a parent ties to a constant is folded into the child, an output that nobody reads loses its
port, and so two instances of one class rarely look alike. Here each component is lowered alone, as
if it were a top, with the ports that its signature declares; its children are black boxes.
Instances with the same contents are then literally equal.
"""

import hashlib
import inspect
import re
from copy import copy
from dataclasses import dataclass, field
from types import SimpleNamespace

from amaranth.back import rtlil
from amaranth.hdl import (
    ClockDomain,
    Fragment,
    Instance,
    Module,
    ValueCastable,
    _ast,
    _ir,
    _mem,
    _xfrm,
)
from amaranth.lib import wiring

from .fingerprint import Fingerprint
from .names import Namespace, plain, snake_case

__all__ = ["Hierarchy", "ModuleSource", "split"]

# Submodules and memories carry this mark while Amaranth names things, so that no signal can
# displace them.
INSTANCE_MARK = "hwgen:"


@dataclass
class ModuleSource:
    """One distinct module: its RTLIL, in which submodules are cells whose type is the ``key`` of
    another module."""

    key: str
    rtlil: str
    base_name: str
    parameters: dict[str, object]
    summary: str
    ports: tuple[str, ...]
    name: str = ""
    count: int = 0
    unused: frozenset[str] = frozenset()
    borrowed: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass
class Occurrence:
    """One place in the hierarchy: which module stands there, and what Amaranth's own output calls
    its parts.

    ``registers`` and ``leaves`` (memories and black boxes) map names in the module's RTLIL to
    names in the RTLIL that Amaranth makes of the undivided design.
    """

    name: str
    amaranth_name: str
    key: str = ""
    registers: dict[str, str] = field(default_factory=dict)
    leaves: dict[str, str] = field(default_factory=dict)
    children: list["Occurrence"] = field(default_factory=list)


@dataclass
class Hierarchy:
    """The distinct modules of a design, children before parents; the last one is the top.

    ``design`` is the undivided design, prepared by Amaranth, with the same ports.
    """

    modules: list[ModuleSource]
    design: _ir.Design
    root: Occurrence

    @property
    def fragment(self) -> Fragment:
        return self.design.fragment

    @property
    def top(self) -> ModuleSource:
        return self.modules[-1]


def split(component: wiring.Component, *, name: str, platform: object) -> Hierarchy:
    """Elaborate ``component`` and lower each distinct component of its hierarchy once."""
    fragment = Fragment.get(component, platform)
    members = _signature_ports(component)
    ports = [(port, signal, direction) for port, signal, direction in members]
    names = Namespace(port for port, _signal, _direction in ports)
    missing = fragment._propagate_domains(ClockDomain)
    clocks = []
    for domain in missing:
        clocks.append((names.add(domain.clk.name), domain.clk, _ir.PortDirection.Input))
        if domain.rst is not None:
            clocks.append((names.add(domain.rst.name), domain.rst, _ir.PortDirection.Input))
    ports = clocks + ports
    design = fragment.prepare(ports, hierarchy=(name,), propagate_domains=False)
    splitter = _Splitter(design)
    root = splitter.visit(design.fragment, ports, name)
    modules = list(splitter.modules.values())
    _name_modules(modules, name)
    return Hierarchy(modules, design, root)


def _signature_ports(component) -> list:
    """Ports of a component in declared order: (name, signal, direction)."""
    ports, names, seen = [], Namespace(), set()
    for path, member, value in component.signature.flatten(component):
        if isinstance(value, ValueCastable):
            value = value.as_value()
        if not isinstance(value, _ast.Signal) or len(value) == 0 or id(value) in seen:
            # A constant member, or one that aliases another, has no wire of its own.
            continue
        seen.add(id(value))
        flow = _ir.PortDirection.Input if member.flow == wiring.In else _ir.PortDirection.Output
        ports.append((names.add("_".join(map(str, path))), value, flow))
    return ports


_LETTERS = {_ir.PortDirection.Input: "i", _ir.PortDirection.Output: "o"}


@dataclass
class _Lowered:
    """A fragment that was lowered: its module, and the names there of the signals of its
    fingerprint."""

    key: str
    signal_names: _ast.SignalDict
    signals: list[str | None] = field(default_factory=list)


class _Splitter:
    def __init__(self, design: _ir.Design):
        self.lowered: dict[tuple[str, str], _Lowered] = {}
        self.design = design
        self.modules: dict[str, ModuleSource] = {}
        self.driven: dict[Fragment, _ast.SignalDict] = {}
        self.clocks = _ast.SignalDict()
        self._collect_driven(design.fragment)

    def _collect_driven(self, fragment: Fragment) -> _ast.SignalDict:
        """For each fragment, how many fragments of its subtree drive each signal."""
        collector = _xfrm.LHSMaskCollector()
        if isinstance(fragment, _ir.Instance):
            for value, direction in fragment.ports.values():
                if direction == "o" and not isinstance(value, _ast.IOValue):
                    collector.visit_value(value, ~0)
        elif isinstance(fragment, _ir.IOBufferInstance):
            if fragment.i is not None:
                collector.visit_value(fragment.i, ~0)
        elif isinstance(fragment, _mem.MemoryInstance):
            for port in fragment._read_ports:
                collector.visit_value(port._data, ~0)
        else:
            for statements in fragment.statements.values():
                collector.visit_stmt(statements)
        driven = _ast.SignalDict((signal, 1) for signal in collector.lhs)
        for subfragment, _name, _src_loc in fragment.subfragments:
            for signal, count in self._collect_driven(subfragment).items():
                driven[signal] = driven.get(signal, 0) + count
        for domain in fragment.domains.values():
            self.clocks[domain.clk] = None
            if domain.rst is not None:
                self.clocks[domain.rst] = None
        self.driven[fragment] = driven
        return driven

    def interface(self, fragment: Fragment) -> list:
        """Ports of a fragment: clocks, then what the signature declares, then what it shares
        besides."""
        outside = self.design.fragments[self.design.fragments[fragment].parent].used_signals
        declared = []
        for origin in fragment.origins or ():
            if isinstance(getattr(origin, "signature", None), wiring.Signature):
                declared = _signature_ports(origin)
                break
        known = _ast.SignalDict((signal, None) for _name, signal, _flow in declared)
        names = Namespace(name for name, _signal, _flow in declared)
        clocks, shared = [], []
        for signal in self.design.fragments[fragment].used_signals:
            if signal in known or signal not in outside or len(signal) == 0:
                continue
            flow = self.flow(fragment, signal) or _ir.PortDirection.Input
            (clocks if signal in self.clocks else shared).append((signal, flow))
        ports = []
        for signal, flow in clocks:
            ports.append((names.add(signal.name), signal, flow))
        for name, signal, flow in declared:
            # Whoever drives a member decides, as in Amaranth; the declared flow is for the
            # undriven.
            ports.append((name, signal, self.flow(fragment, signal) or flow))
        for signal, flow in shared:
            ports.append((names.add(signal.name or "shared"), signal, flow))
        return ports

    def flow(self, fragment: Fragment, signal: _ast.Signal) -> _ir.PortDirection | None:
        """Direction of a signal through the boundary of a fragment; None if nothing drives it."""
        inside = self.driven[fragment].get(signal, 0)
        everywhere = self.driven[self.design.fragment].get(signal, 0)
        if 0 < inside < everywhere:
            name = ".".join(self.design.fragments[fragment].name)
            raise ValueError(
                f"{signal!r} is driven in part inside and in part outside of {name}; "
                "split it in two"
            )
        if inside:
            return _ir.PortDirection.Output
        return _ir.PortDirection.Input if everywhere else None

    def visit(self, fragment: Fragment, ports: list, name: str) -> Occurrence:
        """Lower one fragment, children first; equal ones end up as one entry of ``modules``."""
        here = Occurrence(name, self.design.fragments[fragment].name[-1])
        alone, borrowed = self._isolate(fragment, here)
        fingerprint = Fingerprint(alone, ports)
        component = _component(fragment)
        kind = "" if component is None else type(component).__qualname__
        known = self.lowered.get((kind, fingerprint.digest))
        if known is None:
            known = self._lower(fragment, alone, ports, borrowed, here)
            known.signals = [known.signal_names.get(signal) for signal in fingerprint.signals]
            self.lowered[kind, fingerprint.digest] = known
        here.key = known.key
        self.modules[here.key].count += 1
        amaranth_names = self.design.fragments[fragment].signal_names
        for signal in _stored(fragment):
            name_alone = known.signals[fingerprint.signals[signal]]
            if name_alone is not None:
                here.registers[name_alone] = amaranth_names[signal]
        return here

    def _isolate(self, fragment: Fragment, here: Occurrence) -> tuple[Fragment, _ast.SignalDict]:
        """A fragment with black boxes for children, and what to call the signals at their ports."""
        alone = Fragment(src_loc=fragment.src_loc)
        alone.statements = fragment.statements
        alone.domains = fragment.domains
        instances = Namespace()
        borrowed = _ast.SignalDict()
        for index, (child, child_name, src_loc) in enumerate(fragment.subfragments):
            if isinstance(child, _ir.RequirePosedge):
                continue
            if child_name is None:
                child_name = f"{_class_name(child, 'u')}_{index}"
            child_name = instances.add(child_name)
            amaranth_name = self.design.fragments[child].name[-1]
            if type(child) is not Fragment:
                if isinstance(child, _mem.MemoryInstance):
                    child = _without_zeros(child)
                alone.add_subfragment(child, INSTANCE_MARK + child_name, src_loc=src_loc)
                here.leaves[INSTANCE_MARK + child_name] = amaranth_name
                continue
            if self._is_empty(child):
                continue
            ports = self.interface(child)
            below = self.visit(child, ports, INSTANCE_MARK + child_name)
            here.children.append(below)
            unused = self.modules[below.key].unused
            ports = [port for port in ports if port[0] not in unused]
            for port, signal, _flow in ports:
                borrowed.setdefault(signal, f"{child_name}_{port}")
            instance = Instance(
                below.key, *((_LETTERS[flow], port, signal) for port, signal, flow in ports)
            )
            instance.domains = alone.domains
            alone.add_subfragment(instance, INSTANCE_MARK + child_name, src_loc=src_loc)
        return alone, borrowed

    def _lower(
        self,
        fragment: Fragment,
        alone: Fragment,
        ports: list,
        borrowed: _ast.SignalDict,
        here: Occurrence,
    ) -> "_Lowered":
        """Let Amaranth make RTLIL of an isolated fragment, and enter it in ``modules``."""
        design = _ir.Design(alone, list(ports), hierarchy=("module",))
        text, _name_map = rtlil.convert_fragment(design, emit_src=False)
        text, unused = self._drop_unused_clocks(fragment, text, ports)
        base_name, parameters, summary = _describe(fragment, here.name)
        identity = "" if _component(fragment) is None else base_name
        key = "hwgen_" + hashlib.sha256(f"{identity}\n{text}".encode()).hexdigest()[:24]
        signal_names = design.fragments[alone].signal_names
        if key not in self.modules:
            own = _ast.SignalDict((signal, None) for _name, signal, _flow in ports)
            self.modules[key] = ModuleSource(
                key,
                text,
                base_name,
                parameters,
                summary,
                ports=tuple(port for port, _signal, _flow in ports if port not in unused),
                unused=unused,
                borrowed={
                    f"\\{signal_names[signal]}": wanted
                    for signal, wanted in borrowed.items()
                    if signal in signal_names and signal not in own and signal not in self.clocks
                },
            )
        return _Lowered(key, signal_names)

    def _drop_unused_clocks(self, fragment: Fragment, text: str, ports: list):
        """Amaranth hands the reset to whatever has a clock, a memory for one; most of them have no
        use for it."""
        unused = set()
        if fragment is not self.design.fragment:
            for port, signal, _flow in ports:
                if signal in self.clocks:
                    wire = re.compile(rf"^  wire .* input .*\\{re.escape(port)}$\n\n", re.M)
                    without = wire.sub("", text)
                    if not re.search(rf"\\{re.escape(port)}[ \n]", without):
                        text = without
                        unused.add(port)
        return text, frozenset(unused)

    def _is_empty(self, fragment: Fragment) -> bool:
        """Tools take a module without contents for a black box."""
        return not fragment.statements and all(
            type(child) is Fragment and self._is_empty(child)
            for child, _name, _src_loc in fragment.subfragments
        )


def _targets(statements) -> _ast.SignalDict:
    """The signals that some statements assign."""
    collector = _xfrm.LHSMaskCollector()
    collector.visit_stmt(statements)
    return collector.lhs


def _without_zeros(memory: _mem.MemoryInstance) -> _mem.MemoryInstance:
    """The same memory without contents if they are all zero; Amaranth would write out every bit of
    them."""
    data = memory._data
    if any(data._init._raw):
        return memory
    empty = copy(memory)
    empty._data = SimpleNamespace(
        shape=data.shape,
        depth=data.depth,
        _shape=data._shape,
        _depth=data._depth,
        _init=SimpleNamespace(_raw=()),
    )
    return empty


def _stored(fragment: Fragment) -> _ast.SignalDict:
    """The signals of a fragment that keep a value: registers, and what memories read."""
    stored = _ast.SignalDict()
    for domain, statements in fragment.statements.items():
        if domain != "comb":
            for signal in _targets(statements):
                stored[signal] = None
    for child, _name, _src_loc in fragment.subfragments:
        if isinstance(child, _mem.MemoryInstance):
            for port in child._read_ports:
                if isinstance(port._data, _ast.Signal):
                    stored[port._data] = None
    return stored


def _component(fragment: Fragment) -> object | None:
    """The object that a user wrote, of those that the fragment was elaborated from."""
    for origin in fragment.origins or ():
        if isinstance(origin, (Module, _xfrm.TransformedElaboratable)):
            continue
        return origin
    return None


def _class_name(fragment: Fragment, default: str) -> str:
    component = _component(fragment)
    return default if component is None else snake_case(type(component).__name__)


def _describe(fragment: Fragment, instance_name: str) -> tuple[str, dict, str]:
    """Base name of the module, the parameters of its component, and the first line of its
    documentation."""
    component = _component(fragment)
    if component is None:
        return plain(instance_name.removeprefix(INSTANCE_MARK)), {}, ""
    kind = type(component)
    summary = ""
    if kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}("):
        paragraph = inspect.cleandoc(kind.__doc__).split("\n\n")[0]
        summary = re.sub(r"\s+", " ", paragraph.splitlines()[0]).strip()
    base_name = getattr(component, "verilog_name", None) or snake_case(kind.__name__)
    parameters = {}
    for parameter in inspect.signature(kind.__init__).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name == "name":
            # Belongs to one instance, and the module to all.
            continue
        for attribute in (parameter.name, f"_{parameter.name}"):
            value = getattr(component, attribute, None)
            if isinstance(value, (bool, int, str)):
                parameters[parameter.name] = value
                break
    return plain(base_name), parameters, summary


def _name_modules(modules: list[ModuleSource], top_name: str) -> None:
    """Give each module its final name, the same from run to run."""
    taken = Namespace([plain(top_name)])
    modules[-1].name = plain(top_name)
    families: dict[str, list[ModuleSource]] = {}
    for module in modules[:-1]:
        families.setdefault(module.base_name, []).append(module)
    for base_name, family in families.items():
        if len(family) == 1:
            family[0].name = taken.add(base_name)
            continue
        differing = [
            parameter
            for parameter in family[0].parameters
            if len({repr(module.parameters.get(parameter)) for module in family}) > 1
        ]
        for module in family:
            suffix = "".join(
                f"_{parameter}{_suffix_value(module.parameters.get(parameter))}"
                for parameter in differing
            )
            module.name = taken.add(plain(base_name + suffix))


def _suffix_value(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value).replace("-", "m")
    return "" if value is None else f"_{value}"
