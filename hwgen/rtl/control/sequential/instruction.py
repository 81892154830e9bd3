"""The one instruction that there is."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ....config import Config
from ....isa.checks import header_bits
from ....isa.instructions import INSTRUCTION_BITS, by_name

__all__ = ["InstructionRegister"]

OPCODE_BITS = 8
STORE_SHIFT = by_name("LOAD").fields[0].bits
"""How much lower the fields of a STORE lie than those of a LOAD, which has one more, the first."""


class InstructionRegister(wiring.Component):
    """Keeps what comes from memory where it belongs; which of it is used, and so is there, is for
    the units to say.

    The fields of a STORE come to lie where a LOAD has them.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    en, beat, data : In
        Strobe: a beat of an instruction has come; which one.
    word : Out(256)
        All of it, but for the tokens; in the cycle after its last beat.
    """

    def __init__(self, config: Config):
        self._beat_bits = config.bus.data_width
        super().__init__(
            {
                "en": In(1),
                "beat": In(ceil_log2(INSTRUCTION_BITS // self._beat_bits)),
                "data": In(self._beat_bits),
                "word": Out(INSTRUCTION_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits = self._beat_bits
        stores = self.word[:OPCODE_BITS] == by_name("STORE").opcode

        def arrives(low: int):
            """The beat with this bit."""
            return self.en & (self.beat == low // bits)

        with m.If(arrives(0)):
            m.d.sync += self.word[:OPCODE_BITS].eq(self.data)
        for place in range(header_bits, INSTRUCTION_BITS):
            low = place - STORE_SHIFT
            bit = Mux(stores, self.data[low % bits], self.data[place % bits])
            with m.If(Mux(stores, arrives(low), arrives(place))):
                m.d.sync += self.word[place].eq(bit)
        return m
