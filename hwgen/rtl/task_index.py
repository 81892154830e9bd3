"""The index decoder: which positions of a cluster have tasks."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from ..config import Config
from ..memory import RAM
from .fifo import LUT_RAM_ROWS, RamFifo
from .walker import PositionWalker, place_layout, walk_layout

__all__ = ["TaskIndex", "task_entry", "task_list"]


def task_entry(config: Config) -> data.StructLayout:
    """A position that has tasks: its place, and the groups that want its vectors."""
    return data.StructLayout({"place": place_layout(config), "want": config.groups})


def index_rows(config: Config) -> int:
    """Rows of the memory of the list."""
    return max(2, config.positions_per_cluster)


def task_list(config: Config) -> wiring.Signature:
    """How a streamer starts and reads a list.

    restart : Out(1)
        Forget the list; a gate pass begins, whose decisions come later. Only while ``complete``.
    walk : Out(walk_layout), positions : Out(14)
        The way along the cluster's positions, and how many they are; stable from ``restart`` until
        ``complete``.
    read_en : Out(1), read_index : Out
        Read an entry; its number is below ``count``.
    entry : In(task_entry)
        It, a cycle later, until the next is read.
    count : In
        Entries so far.
    complete : In(1)
        No more will come.
    """
    rows = index_rows(config)
    return wiring.Signature(
        {
            "restart": Out(1),
            "walk": Out(walk_layout(config)),
            "positions": Out(14),
            "read_en": Out(1),
            "read_index": Out(ceil_log2(rows)),
            "entry": In(task_entry(config)),
            "count": In(bits_for(rows)),
            "complete": In(1),
        }
    )


class TaskIndex(wiring.Component):
    """Joins the decisions of the groups, position by position, to a list of the positions that have
    tasks.

    Groups decide in the order of the positions, each in its own time: the n-th strobe of each is
    about position n. A position is appended if any group fired there, in order, ``latency`` cycles
    after its last strobe. Strobes are never refused: a group may be ahead by all positions of a
    tile.

    ``complete`` comes with the last position, appended or not, and is true before the first
    ``restart``.

    Parameters
    ----------
    config : Config
        Gated; the list has ``config.positions_per_cluster`` entries.

    Members
    -------
    decided : In(n)
        Strobe of each group: it has decided its next position.
    any : In(n)
        With the strobe: at least one of its outputs fired there.
    list : In(task_list)
        For the streamer.
    """

    latency = 3

    def __init__(self, config: Config):
        self._config = config
        # The proofs look at these.
        self._decisions = [
            RamFifo(1, depth=1 << ceil_log2(index_rows(config)), name="decisions")
            for _ in range(config.groups)
        ]
        self._left = Signal(14, name="left")
        self._walker = PositionWalker(config)
        super().__init__(
            {
                "decided": In(config.groups),
                "any": In(config.groups),
                "list": In(task_list(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, tasks = self._config, self.list
        rows = index_rows(config)

        # Bits of the groups that are ahead wait for the others.
        waiting, want = [], []
        for j, fifo in enumerate(self._decisions):
            m.submodules[f"decisions{j}"] = fifo
            m.d.comb += [fifo.i.valid.eq(self.decided[j]), fifo.i.payload.eq(self.any[j])]
            waiting.append(fifo.o)
            want.append(fifo.o.payload)
        joined = Signal()
        m.d.comb += joined.eq(Cat(bit.valid for bit in waiting).all() & ~tasks.complete)
        m.d.comb += [bit.ready.eq(joined) for bit in waiting]

        m.submodules.walker = walker = self._walker
        m.submodules.entries = entries = RAM(
            depth=rows,
            width=task_entry(config).size,
            style="distributed" if rows <= LUT_RAM_ROWS else "block",
            name="task index",
        )
        left = self._left
        complete = Signal(init=1)  # nothing is left
        append = Signal()
        m.d.comb += [
            walker.walk.eq(tasks.walk),
            walker.start.eq(tasks.restart),
            walker.step.eq(joined),
            append.eq(joined & Cat(want).any()),
            entries.w_en.eq(append),
            entries.w_addr.eq(tasks.count),
            entries.w_data.eq(Cat(walker.place, Cat(want))),
            entries.r_en.eq(tasks.read_en),
            entries.r_addr.eq(tasks.read_index),
            tasks.entry.eq(entries.r_data),
            tasks.complete.eq(complete),
        ]
        m.d.sync += [left.eq(left - joined), tasks.count.eq(tasks.count + append)]
        with m.If(joined):
            m.d.sync += complete.eq(left == 1)
        with m.If(tasks.restart):
            m.d.sync += [
                left.eq(tasks.positions),
                complete.eq(tasks.positions == 0),
                tasks.count.eq(0),
            ]
        return m
