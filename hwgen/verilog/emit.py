"""The whole file: a header, and each distinct module once, the top first."""

from amaranth.lib import wiring

from ..memory import EmissionTarget
from . import rtlil
from .split import INSTANCE_MARK, Hierarchy, split
from .writer import Options, write_module

__all__ = ["emit", "write"]


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
        Give registers and memories the power-on values that Amaranth's simulator assumes. Without them, as in an
        ASIC, a register that nobody resets is unknown, and simulation shows it.
    """
    return write(split(component, name=name, platform=EmissionTarget()), header=header, init=init)


def write(hierarchy: Hierarchy, *, header: str = "", init: bool = False) -> str:
    """Verilog of a hierarchy that has been split."""
    names = {module.key: (module.name, module.ports) for module in hierarchy.modules}
    texts = []
    for source in reversed(hierarchy.modules):
        (module,) = rtlil.parse(source.rtlil)
        comments = [source.summary] if source.summary else []
        if source.parameters:
            comments.append(
                ", ".join(f"{key} = {value!r}" for key, value in source.parameters.items())
            )
        texts.append(
            write_module(
                module,
                name=source.name,
                comments=comments,
                submodules=names,
                borrowed=source.borrowed,
                instance_mark=INSTANCE_MARK,
                port_order=source.ports,
                options=Options(init=init),
            )
        )
    lines = [f"// {line}".rstrip() for line in header.splitlines()]
    return "\n".join(["\n".join([*lines, ""])] * bool(lines) + texts)
