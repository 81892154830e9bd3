"""How often each output has fired, for software that watches a network."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ...memory import RAM
from .layouts import column_shape, gate_row

__all__ = ["COUNT_BITS", "FiredCounts"]

COUNT_BITS = 16


class FiredCounts(wiring.Component):
    """Counts fired outputs by slot; a count stays at its largest value.

    Members
    -------
    gate : In(gate_row)
        One row a cycle. Its ``clear`` comes before its own count.
    address : In
        Counts to read: those of slots ``address * D`` to ``address * D + D-1``.
    data : Out(array of D), data_valid : Out(1)
        With ``data_valid``, the counts of the address of the cycle before. The gate goes first: in
        the two cycles behind one of its rows there is no answer.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "gate": In(gate_row(config)),
                "address": In(column_shape(config)),
                "data": Out(data.ArrayLayout(COUNT_BITS, config.array.group)),
                "data_valid": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        columns = self._config.array.slots
        m.submodules.memory = memory = RAM(
            depth=max(2, columns),
            width=COUNT_BITS * self._config.array.group,
            style="distributed",
            asynchronous=True,
            name="fired counts",
        )
        used = Signal(columns)  # columns that have been counted since they were cleared
        gate = self.gate
        # Where to look is settled in one cycle, what is there in the next, and counted in a third.
        # What the third is about to write, the second may be looking for.
        chosen, here, there = (
            Signal(column_shape(self._config), name=name) for name in ("chosen", "here", "there")
        )
        looking, counting = Signal(), Signal()
        known, again = Signal(), Signal()
        looked, fired = (Signal.like(gate.fired, name=name) for name in ("looked", "fired"))
        m.d.comb += [
            chosen.eq(Mux(gate.some, gate.column, self.address)),
            memory.r_addr.eq(here),
            memory.w_addr.eq(there),
            memory.w_en.eq(counting),
        ]
        m.d.sync += [
            here.eq(chosen),
            there.eq(here),
            looking.eq(gate.some),
            counting.eq(looking),
            known.eq(used.bit_select(chosen, 1) & ~gate.clear),
            again.eq(looking & (chosen == here)),
            looked.eq(gate.fired),
            fired.eq(looked),
        ]

        stored, counts = Signal.like(self.data), Signal.like(self.data, reset_less=True)
        following = Signal.like(self.data)
        with m.If(known):
            m.d.comb += stored.eq(memory.r_data)
            m.d.sync += counts.eq(Mux(again, following, memory.r_data))
        with m.Else():
            m.d.sync += counts.eq(0)
        for lane in range(self._config.array.group):
            more = Signal(COUNT_BITS + 1, name=f"more{lane}")
            overflow = more[-1].replicate(COUNT_BITS)
            m.d.comb += [
                more.eq(counts[lane] + fired[lane]),
                following[lane].eq(more[:-1] | overflow),
            ]
        m.d.comb += memory.w_data.eq(following)
        with m.If(gate.clear):
            m.d.sync += used.eq(0)
        with m.If(gate.some):
            m.d.sync += used.bit_select(chosen, 1).eq(1)

        m.d.comb += [self.data_valid.eq(~looking & ~counting), self.data.eq(stored)]
        return m
