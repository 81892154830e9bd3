"""PASS: dot products added to sums, one a cycle."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from ..commands import instruction_layout
from ..control.ports import activation_address
from .multiply_add import MultiplyAdd
from .ports import WORD_BITS
from .walker import WindowWalker

__all__ = ["PassUnit"]

LANES = WORD_BITS // 8


class PassUnit(wiring.Component):
    """Runs a PASS: tap by tap, slot by slot, position by position.

    A row is a sum of one position and slot. In one cycle it is asked for, with its vector; in the
    next the dot product is added to it, and it is written. So the weights of a slot are read once,
    in the order in which they lie in the buffer, and stay for all positions. A tap takes a cycle
    more than it has rows, so that no row is read while it is written; :meth:`cycles` tells the sum.

    Members
    -------
    command : In(stream(PASS))
        See :func:`~hwgen.rtl.sequential.ports.sequential_ports`.
    reads : Out(1)
        A row is asked for, and a vector at ``activation_address``.
    activation_address : Out, activations : In(32)
        The vector comes a cycle later.
    weight_en : Out(1), weight_address : Out, weights : In(32)
        Likewise, and stays until the next.
    row : Out, before : In(32)
        The row that is asked for, its bank in the highest bit; it comes a cycle later.
    writes : Out(1), written_row : Out, sum : Out(32)
        A row to be written.
    """

    def __init__(self, config: Config):
        self._config = config
        row = ceil_log2(config.array.rows) + 1
        super().__init__(
            {
                "command": In(stream.Signature(instruction_layout("PASS", config))),
                "reads": Out(1),
                "activation_address": Out(activation_address(config)),
                "activations": In(WORD_BITS),
                "weight_en": Out(1),
                "weight_address": Out(ceil_log2(config.memory.weight_words)),
                "weights": In(WORD_BITS),
                "row": Out(row),
                "before": In(WORD_BITS),
                "writes": Out(1),
                "written_row": Out(row),
                "sum": Out(WORD_BITS),
            }
        )

    @staticmethod
    def cycles(chunks: int, slots: int, positions: int) -> int:
        """From the first cycle with ``command.valid`` to the transfer, both included."""
        return chunks * (slots * positions + 1)

    def elaborate(self, platform):
        m = Module()
        command = self.command.payload
        m.submodules.walker = walker = WindowWalker(self._config)
        slot = Signal.like(command.slots, init=1)
        row = Signal(len(self.row) - 1)
        row_before = Signal.like(row, reset_less=True)
        word = Signal.like(self.weight_address)
        fresh = Signal(init=1)  # the first position of a slot
        between = Signal()  # taps
        last_slot = Signal()
        m.d.comb += [
            walker.command.eq(command),
            self.reads.eq(self.command.valid & ~between),
            walker.step.eq(self.reads),
            walker.next_tap.eq(between),
            last_slot.eq(slot == command.slots),
            self.activation_address.eq(walker.address),
            self.row.eq(Cat(row, command.bank)),
            self.written_row.eq(Cat(row_before, command.bank)),
            self.weight_en.eq(self.reads & fresh),
            self.weight_address.eq(command.weights + word),
            self.command.ready.eq(between & walker.last_tap),
        ]
        m.d.sync += [between.eq(0), self.writes.eq(self.reads), row_before.eq(row)]
        with m.If(self.reads):
            m.d.sync += [row.eq(row + command.slots), fresh.eq(walker.last_position)]
            with m.If(walker.last_position):
                m.d.sync += [slot.eq(slot + 1), row.eq(slot), word.eq(word + 1)]
                with m.If(last_slot):
                    m.d.sync += [slot.eq(1), row.eq(0), between.eq(1)]
        with m.If(self.command.ready):
            m.d.sync += word.eq(0)
        self._add(m, walker)
        return m

    def _add(self, m, walker):
        """The row that was asked for a cycle ago."""
        command = self.command.payload
        kept, begins = Signal(8), Signal(reset_less=True)
        inside = Signal(reset_less=True)
        m.d.sync += [inside.eq(walker.inside), begins.eq(command.first & walker.first_tap)]
        m.d.comb += kept.eq(command.mask & inside.replicate(8))
        total = Mux(begins, 0, self.before)
        for n in range(LANES):
            m.submodules[f"lane{n}"] = lane = MultiplyAdd(signed_a=True)
            byte = Signal(8, name=f"activation{n}")
            m.d.comb += [
                byte.eq(self.activations.word_select(n, 8) & kept),
                lane.i_a.eq(Cat(byte, byte[-1] & command.signed).as_signed()),
                lane.i_b.eq(self.weights.word_select(n, 8).as_signed()),
                lane.i_c.eq(total),
            ]
            total = lane.o
        m.d.comb += self.sum.eq(total)
