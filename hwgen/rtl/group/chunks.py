"""Which chunks have been loaded, and where their weights are."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ChunkTracker"]


class ChunkTracker(wiring.Component):
    """Counts loaded chunks and knows their banks, which alternate chunk by chunk.

    Members
    -------
    loaded : In(1)
        The words of the next chunk are all there: in the cycle of its last word or the next. At
        most two chunks are loaded at once.
    finished : In(1)
        The last row of the current chunk is issued; only with ``available``.
    available : Out(1)
        The current chunk is loaded.
    weight_bank : Out(1)
        Where the current chunk finds its weights.
    """

    def __init__(self):
        super().__init__(
            {"loaded": In(1), "finished": In(1), "available": Out(1), "weight_bank": Out(1)}
        )

    def elaborate(self, platform):
        m = Module()
        count = Signal(range(3))
        m.d.sync += [
            count.eq(count + self.loaded - self.finished),
            self.weight_bank.eq(self.weight_bank ^ self.finished),
        ]
        m.d.comb += self.available.eq(count.any())
        return m
