"""Which positions have tasks."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ...memory import RAM
from .layouts import gate_row, gated_position_shape, listed_shape

__all__ = ["PositionList"]


class PositionList(wiring.Component):
    """Joins the rows of each position, tells whether any sum of it fired, and lists those that did.

    Members
    -------
    gate : In(gate_row)
    decided : Out(1), any : Out(1)
        Strobe, a cycle after the last row of a position: whether it has tasks.
    number : In
        Which entry of the list to read.
    entry, following : Out
        The position there and the one behind it, in the same cycle; undefined beyond the end.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "gate": In(gate_row(config)),
                "decided": Out(1),
                "any": Out(1),
                "number": In(listed_shape(config)),
                "entry": Out(gated_position_shape(config)),
                "following": Out(gated_position_shape(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        gate = self.gate
        before = Signal()  # an earlier row of the position fired
        fires = Signal()
        decides = Signal()
        end = Signal(listed_shape(self._config))
        m.d.comb += [
            fires.eq(before | gate.fired.any()),
            decides.eq(gate.some & gate.completes),
        ]
        with m.If(gate.some):
            m.d.sync += before.eq(fires & ~gate.completes)
        m.d.sync += [self.decided.eq(decides), self.any.eq(decides & fires)]
        with m.If(decides & fires):
            m.d.sync += end.eq(end + 1)
        with m.If(gate.end):
            m.d.sync += end.eq(0)

        # Two entries next to each other are read at once: even and odd ones have a memory each.
        halves = []
        for n in range(2):
            m.submodules[f"half{n}"] = memory = RAM(
                depth=max(2, -(-self._config.positions_per_cluster // 2)),
                width=len(self.entry),
                style="distributed",
                asynchronous=True,
                name="task positions",
            )
            m.d.comb += [
                memory.w_en.eq(decides & fires & (end[0] == n)),
                memory.w_addr.eq(end[1:]),
                memory.w_data.eq(gate.position),
            ]
            halves.append(memory)
        even, odd = halves
        odd_first = self.number[0]
        m.d.comb += [
            even.r_addr.eq(self.number[1:] + odd_first),
            odd.r_addr.eq(self.number[1:]),
            self.entry.eq(Mux(odd_first, odd.r_data, even.r_data)),
            self.following.eq(Mux(odd_first, even.r_data, odd.r_data)),
        ]
        return m
