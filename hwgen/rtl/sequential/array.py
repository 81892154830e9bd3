"""Buffers, and a unit each for PASS and DRAIN, that take turns."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from ...config import Config
from ...memory import RAM
from .drain import DrainUnit
from .passes import PassUnit
from .ports import WORD_BITS, sequential_ports
from .records import RecordBuffer

__all__ = ["SequentialArray"]

ACTIVATIONS, WEIGHTS, RECORDS = range(3)
"""Targets of a LOAD."""


class SequentialArray(wiring.Component):
    """Does what clusters, feeder and activation buffer do, for a control that runs one instruction
    after the other: four products a cycle, and no queue, copy or arbiter.

    Parameters
    ----------
    config : Config
        With ``control.sequential``.

    Members
    -------
    See :func:`hwgen.rtl.sequential.ports.sequential_ports`.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(sequential_ports(config))

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.passes = passes = PassUnit(config)
        m.submodules.drain = drain = DrainUnit(config)
        connect(m, flipped(self.passes), passes.command)
        connect(m, flipped(self.drains), drain.command)
        self._add_activations(m, passes, drain)
        self._add_weights(m, passes)
        self._add_sums(m, passes, drain)
        self._add_records(m, drain)
        return m

    def _buffer(self, m, name, depth, **options):
        style = "macro" if self._config.memory.style == "macro" else "block"
        m.submodules[name] = ram = RAM(
            depth=depth, width=WORD_BITS, style=style, name=name, **options
        )
        return ram

    def _loads(self, target):
        return self.write_valid & (self.write.target == target)

    def _add_activations(self, m, passes, drain):
        """Read by passes and stores, written by loads and drains."""
        words = self._config.memory.activation_words
        ram = self._buffer(m, "activations", words, granularity=8)
        m.d.comb += [
            ram.r_en.eq(passes.reads | self.read_en),
            ram.r_addr.eq(Mux(passes.reads, passes.activation_address, self.read_address)),
            passes.activations.eq(ram.r_data),
            self.read_data.eq(ram.r_data),
            ram.w_en.eq(drain.writes | self._loads(ACTIVATIONS)),
        ]
        with m.If(drain.writes):
            m.d.comb += [
                ram.w_addr.eq(drain.address),
                ram.w_data.eq(drain.result.replicate(WORD_BITS // 8)),
                ram.w_mask.eq(1 << drain.byte),
            ]
        with m.Else():
            m.d.comb += [
                ram.w_addr.eq(self.write.address),
                ram.w_data.eq(self.write.data),
                ram.w_mask.eq(-1),
            ]

    def _add_weights(self, m, passes):
        ram = self._buffer(m, "weights", self._config.memory.weight_words)
        m.d.comb += [
            ram.r_en.eq(passes.weight_en),
            ram.r_addr.eq(passes.weight_address),
            passes.weights.eq(ram.r_data),
            ram.w_en.eq(self._loads(WEIGHTS)),
            ram.w_addr.eq(self.write.address),
            ram.w_data.eq(self.write.data),
        ]

    def _add_sums(self, m, passes, drain):
        """Both banks in one memory."""
        ram = self._buffer(m, "accumulators", 2 * self._config.array.rows)
        m.d.comb += [
            ram.r_en.eq(passes.reads | drain.reads),
            ram.r_addr.eq(Mux(passes.reads, passes.row, drain.row)),
            passes.before.eq(ram.r_data),
            drain.sum.eq(ram.r_data),
            ram.w_en.eq(passes.writes),
            ram.w_addr.eq(passes.written_row),
            ram.w_data.eq(passes.sum),
        ]

    def _add_records(self, m, drain):
        m.submodules.records = records = RecordBuffer(self._config)
        m.d.comb += [
            records.w_en.eq(self._loads(RECORDS)),
            records.w_address.eq(self.write.address),
            records.w_part.eq(self.write.part),
            records.w_data.eq(self.write.data),
            records.r_en.eq(drain.record_en),
            records.r_address.eq(drain.record_number),
            drain.record.eq(records.record),
        ]
