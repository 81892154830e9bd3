"""Which chunks have been loaded, and where their weights and thresholds are."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ChunkTracker"]


class ChunkTracker(wiring.Component):
    """Counts loaded chunks and knows their banks.

    Weight banks alternate chunk by chunk. Threshold banks alternate with each set of thresholds,
    which belongs to the chunk that follows it and to all chunks until the next set: so a set stays
    while the chunk after it, and only that, is loaded ahead.

    Members
    -------
    threshold_written : In(1)
        A word of thresholds goes to ``threshold_write_bank``. Gated only.
    loaded : In(1)
        The words of the next chunk are all there: in the cycle of its last word or the next. At
        most two chunks are loaded at once.
    finished : In(1)
        The last row of the current chunk is issued; only with ``available``.
    available : Out(1)
        The current chunk is loaded.
    weight_bank, threshold_bank : Out(1)
        Where the current chunk finds them. Thresholds: gated only.
    threshold_write_bank : Out(1)
        Where the next thresholds go. Gated only.
    """

    def __init__(self, *, gated: bool):
        self._gated = gated
        members = {"loaded": In(1), "finished": In(1), "available": Out(1), "weight_bank": Out(1)}
        if gated:
            members |= {
                "threshold_written": In(1),
                "threshold_bank": Out(1),
                "threshold_write_bank": Out(1),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        count = Signal(range(3))
        m.d.sync += count.eq(count + self.loaded - self.finished)
        m.d.comb += self.available.eq(count.any())
        m.d.sync += self.weight_bank.eq(self.weight_bank ^ self.finished)

        if self._gated:
            loading = Signal()  # weight bank of the chunk being loaded
            fresh = Signal()  # it came with thresholds of its own
            banks = Signal(2)  # threshold bank of the chunk in each weight bank
            bank = Signal()  # where the thresholds of the chunk being loaded go, if it has any
            m.d.sync += loading.eq(loading ^ self.loaded)
            with m.If(self.loaded):
                m.d.sync += [fresh.eq(0), banks.bit_select(loading, 1).eq(bank ^ ~fresh)]
            # The next set may begin in the very cycle of the strobe.
            m.d.comb += self.threshold_write_bank.eq(bank ^ (fresh & self.loaded))
            m.d.sync += bank.eq(self.threshold_write_bank)
            with m.If(self.threshold_written):
                m.d.sync += fresh.eq(1)
            m.d.comb += self.threshold_bank.eq(banks.bit_select(self.weight_bank, 1))
        return m
