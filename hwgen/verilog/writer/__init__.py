"""One RTLIL module of Amaranth's to Verilog that a person would write.

Yosys's own backend names each intermediate value and keeps every alias. Here values that are used
once become part of the expression that uses them, sums are cut to the bits that are read,
registers that share a clock and a reset share an ``always`` block with their conditions merged,
and one-hot choices become ``if`` / ``else if`` again.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ..rtlil import Chunk, Module, Spec
from .document import Document
from .expressions import OPERATORS
from .naming import Naming
from .netlist import Netlist

__all__ = ["Written", "write_module"]


@dataclass(frozen=True)
class Written:
    """Verilog of a module, and what became of the names in its RTLIL.

    A signal may have become parts of several, or of none.
    """

    text: str
    signals: dict[str, Spec]
    cells: dict[str, str]


def write_module(
    module: Module,
    *,
    name: str,
    comments: Iterable[str],
    submodules: dict[str, tuple[str, tuple[str, ...]]],
    borrowed: dict[str, str],
    instance_mark: str,
    port_order: Iterable[str],
    init: bool = False,
) -> Written:
    """Verilog of one module.

    ``submodules`` maps cell types to module names and their ports in order; ``borrowed`` says of
    wires that Amaranth named after a port of a submodule what to call them instead; cell names
    lose ``instance_mark``; ``init`` gives registers and zeroed memories the power-on values that
    Amaranth's simulator uses.
    """
    for index, port in enumerate(port_order):
        module.wires[f"\\{port}"].port_id = index
    netlist = Netlist(module, borrowed, OPERATORS)
    named: set[str] = set()
    while True:
        naming = Naming(netlist, instance_mark, named)
        text = Document(netlist, naming, submodules, init).render(name, comments)
        if not naming.late:
            break
        # Some value turned out to need a name; name it in its turn, so that numbers count upwards.
        named.update(naming.late)
    names = naming.names
    signals = {wire: (Chunk(name, 0, module.wires[wire].width),) for wire, name in names.items()}
    for alias, wire in netlist.aliases.items():
        if wire in names:
            signals.setdefault(alias, signals[wire])
    for target, value in module.connections:
        signals.setdefault(target[0].wire, tuple(_renamed(chunk, names) for chunk in value))
    cells = {**naming.cell_names, **naming.memory_names}
    return Written(
        text,
        {key.removeprefix("\\"): value for key, value in signals.items()},
        {key.removeprefix("\\"): value for key, value in cells.items()},
    )


def _renamed(chunk: Chunk, names: dict[str, str]) -> Chunk:
    """A part of a signal by its name in the text; nameless where it has none."""
    return Chunk(names.get(chunk.wire), chunk.low, chunk.width, chunk.bits)
