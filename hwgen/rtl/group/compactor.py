"""Brings the tasks of a row together."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from ...config import Config
from ..unreset import unreset
from .layouts import gate_row, task

__all__ = ["Compactor"]


class Compactor(wiring.Component):
    """Moves the fired sums of a row to its lowest lanes, in order. Latency 1, a row a cycle.

    A network of log2(D) steps: a task moves down by the number of lanes below it that did not
    fire, bit by bit from the lowest; two tasks never meet, since the gaps only grow.

    Members
    -------
    gate : In(gate_row)
    count : Out
        Number of tasks of this cycle's row; 0 also without a row.
    tasks : Out(array of D)
        Those of the row before; lanes from its ``count`` on are undefined.
    """

    def __init__(self, config: Config):
        self._config = config
        engines = config.array.group
        super().__init__(
            {
                "gate": In(gate_row(config)),
                "count": Out(bits_for(engines)),
                "tasks": Out(data.ArrayLayout(task(config), engines)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        engines = self._config.array.group
        steps = ceil_log2(engines)
        fired = self.gate.fired

        # Each lane: does it hold a task, by how much must it move down, the task.
        lanes = []
        for lane in range(engines):
            item = Signal(task(self._config), name=f"task{lane}")
            m.d.comb += [
                item.sum.eq(self.gate.sums[lane]),
                item.slot.eq(Cat(C(lane, steps), self.gate.column)),
            ]
            move = Signal(steps, name=f"move{lane}")
            m.d.comb += move.eq(_ones(m, ~fired[:lane], f"below{lane}"))
            lanes.append((fired[lane], move, item))

        for step in range(steps):
            moved = []
            for lane, (here, move, item) in enumerate(lanes):
                stays = here & ~move[step]
                if lane + (1 << step) >= engines:
                    moved.append((stays, move, item))
                    continue
                above, above_move, above_item = lanes[lane + (1 << step)]
                comes = Signal(name=f"comes{step}_{lane}")
                m.d.comb += comes.eq(above & above_move[step])
                chosen = Signal(task(self._config), name=f"task{step}_{lane}")
                m.d.comb += chosen.eq(Mux(comes, above_item, item))
                moved.append((stays | comes, Mux(comes, above_move, move), chosen))
            lanes = moved

        m.d.comb += self.count.eq(Mux(self.gate.some, _ones(m, fired, "fired"), 0))
        tasks = unreset(m, self.tasks)
        with m.If(self.gate.some):
            m.d.sync += [tasks[n].eq(item) for n, (_, _, item) in enumerate(lanes)]
        return m


def _ones(m, bits, name):
    """Number of ones among ``bits``, summed as a balanced tree."""
    values = list(bits)
    if not values:
        return Const(0, 1)
    level = 0
    while len(values) > 1:
        level += 1
        pairs = [a + b for a, b in zip(values[::2], values[1::2], strict=False)]
        values = pairs + values[len(pairs) * 2 :]
    total = Signal(bits_for(len(bits)), name=f"{name}_ones")
    m.d.comb += total.eq(values[0])
    return total
