"""The whole file: a header, and each distinct module once, the top first."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from amaranth.lib import wiring

from ..memory import EmissionTarget, MemoryUse, inventory
from . import rtlil
from .split import INSTANCE_MARK, Hierarchy, split
from .writer import Written, write_module

__all__ = ["Emitted", "assemble", "build", "emit", "write_modules"]


@dataclass(frozen=True)
class Emitted:
    """The Verilog of a design, and the memories that it has."""

    text: str
    memories: list[MemoryUse]


def emit(component: wiring.Component, *, name: str, header: str = "", init: bool = False) -> str:
    """Verilog of a component and all that it contains.

    Parameters
    ----------
    component : wiring.Component
        What to emit; its signature gives the ports, after ``clk`` and ``rst``.
    name : str
        Name of the top module.
    header : str
        Lines for the comment at the top of the file.
    init : bool
        Give registers and memories the power-on values that Amaranth's simulator assumes. Without
        them, as in an ASIC, a register that nobody resets is unknown, and simulation shows it.
    """
    return build(component, name=name, header=header, init=init).text


def build(
    component: wiring.Component,
    *,
    name: str,
    header: str = "",
    init: bool = False,
    progress: Callable[[str], None] = lambda step: None,
) -> Emitted:
    """Like :func:`emit`, and an inventory of the memories from the same elaboration.

    ``progress`` is called with a few words before each step.
    """
    with _no_collection():
        progress("building")
        hierarchy = split(component, name=name, platform=EmissionTarget())
        progress("writing Verilog")
        text = assemble(hierarchy, write_modules(hierarchy, init=init), header=header)
        return Emitted(text, inventory(hierarchy.fragment))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Millions of objects are made and all are kept; looking for garbage among them is a third of
    the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def write_modules(hierarchy: Hierarchy, *, init: bool = False) -> dict[str, Written]:
    """Verilog of each module of a hierarchy that has been split."""
    names = {module.key: (module.name, module.ports) for module in hierarchy.modules}
    written = {}
    for source in hierarchy.modules:
        (module,) = rtlil.parse(source.rtlil)
        comments = [source.summary] if source.summary else []
        if source.parameters:
            comments.append(
                ", ".join(f"{key} = {value!r}" for key, value in source.parameters.items())
            )
        written[source.key] = write_module(
            module,
            name=source.name,
            comments=comments,
            submodules=names,
            borrowed=source.borrowed,
            instance_mark=INSTANCE_MARK,
            port_order=source.ports,
            init=init,
        )
    return written


def assemble(hierarchy: Hierarchy, written: dict[str, Written], *, header: str = "") -> str:
    """One file: the header, the top, and below it what it is made of."""
    parts = [written[module.key].text for module in reversed(hierarchy.modules)]
    if header:
        parts.insert(0, "".join(f"// {line}".rstrip() + "\n" for line in header.splitlines()))
    return "\n".join(parts)
