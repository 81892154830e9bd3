"""DRAIN: sums to bytes of the activation buffer, one a cycle."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from ..commands import instruction_layout
from ..control.ports import activation_address
from .multiply_add import MultiplyAdd
from .ports import WORD_BITS
from .records import record_layout
from .scaler import Scaler

__all__ = ["DrainUnit"]

LANE_BITS = ceil_log2(WORD_BITS // 8)


class DrainUnit(wiring.Component):
    """Runs a DRAIN: slot by slot, position by position; :meth:`cycles` tells how long it takes.

    A sum is read in one cycle, multiplied in the next, shifted, clamped and written in the third.
    The record of a slot is asked for while the last byte of the slot before is written.

    Members
    -------
    command : In(stream(DRAIN))
        See :func:`~hwgen.rtl.sequential.ports.sequential_ports`.
    record_en : Out(1), record_number : Out, record : In(record_layout)
        The record comes a cycle later, and stays until the next.
    reads : Out(1), row : Out, sum : In(signed(32))
        A row of sums, its bank in the highest bit; it comes a cycle later.
    writes : Out(1), address : Out, byte : Out(2), result : Out(8)
        A byte to be written.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "command": In(stream.Signature(instruction_layout("DRAIN", config))),
                "record_en": Out(1),
                "record_number": Out(ceil_log2(config.memory.parameter_words)),
                "record": In(record_layout(config)),
                "reads": Out(1),
                "row": Out(ceil_log2(config.array.rows) + 1),
                "sum": In(signed(WORD_BITS)),
                "writes": Out(1),
                "address": Out(activation_address(config)),
                "byte": Out(LANE_BITS),
                "result": Out(8),
            }
        )

    @staticmethod
    def cycles(slots: int, channels: int, positions: int) -> int:
        """From the first cycle with ``command.valid`` to the transfer, both included."""
        return min(slots, channels) * (positions + 2) + 1

    def elaborate(self, platform):
        m = Module()
        command = self.command.payload
        slot = Signal.like(command.slots)  # slots that have begun
        position = Signal.like(command.positions, init=1)
        row = Signal(len(self.row) - 1)
        reading, multiplying = Signal(), Signal()
        last = Signal()
        m.d.comb += [
            # Between slots there is no sum that has been read and not been written.
            self.record_en.eq(self.command.valid & ~reading & ~multiplying & ~last),
            last.eq((slot == command.slots) | (slot == command.channels)),
            self.command.ready.eq(self.command.valid & ~reading & ~multiplying & last),
            self.record_number.eq(command.parameters + slot),
            self.reads.eq(reading),
            self.row.eq(Cat(row, command.bank)),
        ]
        m.d.sync += [multiplying.eq(reading), self.writes.eq(multiplying)]
        with m.If(self.record_en):
            m.d.sync += [reading.eq(1), slot.eq(slot + 1), row.eq(slot)]
        with m.If(reading):
            m.d.sync += [position.eq(position + 1), row.eq(row + command.slots)]
            with m.If(position == command.positions):
                m.d.sync += [position.eq(1), reading.eq(0)]
        with m.If(self.command.ready):
            m.d.sync += slot.eq(0)
        self._write(m)
        return m

    def _write(self, m):
        config, command, record = self._config, self.command.payload, self.record
        m.submodules.scaler = scaler = Scaler(
            multiplier_bits=config.drain.multiplier_bits, shift_max=config.drain.shift_max
        )
        m.submodules.plane = plane = MultiplyAdd(signed_a=True)
        written = Signal.like(self.address)  # bytes of the slot
        with m.If(self.record_en):
            m.d.sync += written.eq(0)
        with m.Elif(self.writes):
            m.d.sync += written.eq(written + 1)
        m.d.comb += [
            scaler.sum.eq(self.sum),
            scaler.multiplier.eq(record.multiplier),
            scaler.bias.eq(record.bias),
            scaler.shift.eq(record.shift),
            scaler.low.eq(command.low),
            scaler.high.eq(command.high),
            self.result.eq(scaler.o),
            plane.i_a.eq(record.channel[LANE_BITS:]),
            plane.i_b.eq(command.output_plane_stride),
            plane.i_c.eq(command.output),
            self.address.eq(plane.o + written),
            self.byte.eq(record.channel[:LANE_BITS]),
        ]
