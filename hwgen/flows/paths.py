"""Critical paths, told in blocks of the design instead of cells of the netlist."""

from dataclasses import asdict, dataclass

from hwgen.flows.modules import Module

__all__ = ["Instances", "Stretch", "critical_path", "joined"]


@dataclass(frozen=True)
class Stretch:
    """A part of a path that stays within one block.

    Attributes
    ----------
    block : str
        Instance path from the top, empty for the top itself.
    module : str
        What it is an instance of.
    cells : int
        How many cells the path goes through.
    logic, routing : float
        Nanoseconds in cells, and in wires that lead to them.
    signal : str
        Name, within the block, of the last signal of the stretch.
    """

    block: str
    module: str
    cells: int
    logic: float
    routing: float
    signal: str

    def as_dict(self) -> dict:
        """For JSON."""
        return asdict(self)


class Instances:
    """The instances of a hierarchy, to which cells of a flattened netlist are given back."""

    def __init__(self, top: str, modules: dict[str, Module]):
        self._modules = {"": top}
        waiting = [("", top)]
        while waiting:
            path, name = waiting.pop()
            for instance, child in modules[name].instances.items():
                below = f"{path}.{instance}".lstrip(".")
                self._modules[below] = child
                waiting.append((below, child))

    def module(self, instance: str) -> str:
        """What an instance is an instance of."""
        return self._modules[instance]

    def of(self, cell: str) -> str:
        """The innermost instance whose name the name of a cell or net begins with."""
        parts = cell.split(".")
        for length in range(len(parts), 0, -1):
            if (path := ".".join(parts[:length])) in self._modules:
                return path
        return ""


def critical_path(paths: list[dict], instances: Instances) -> tuple[Stretch, ...]:
    """The slowest path between clock edges of nextpnr's report, in stretches.

    Synthesis names cells after wires, and a wire between two blocks after either of them or the
    block around; so the borders of the stretches are exact to a gate only.
    """
    clocked = [
        path["path"]
        for path in paths
        if all(path[end].startswith(("posedge", "negedge")) for end in ("from", "to"))
    ]
    if not clocked:
        return ()
    slowest = max(clocked, key=lambda steps: sum(step["delay"] for step in steps))
    stretches: list[Stretch] = []
    for step in slowest:
        wire = step["type"] == "routing"
        block = instances.of(step["to"]["cell"])
        signal = step["net"] if wire else ""
        entered = Stretch(
            block,
            instances.module(block),
            0 if wire or step["type"] == "setup" else 1,
            0.0 if wire else step["delay"],
            step["delay"] if wire else 0.0,
            signal.removeprefix(f"{block}."),
        )
        if stretches and stretches[-1].block == block:
            entered = joined(stretches.pop(), entered)
        stretches.append(entered)
    return tuple(stretches)


def joined(first: Stretch, second: Stretch) -> Stretch:
    """Two stretches of one block as one."""
    return Stretch(
        first.block,
        first.module,
        first.cells + second.cells,
        round(first.logic + second.logic, 3),
        round(first.routing + second.routing, 3),
        second.signal or first.signal,
    )
