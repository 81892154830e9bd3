"""The memory of weights and thresholds."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..config import Config
from ..memory import RAM
from .commands import weight_broadcast
from .control.ports import weight_store
from .unreset import unreset

__all__ = ["WeightBuffer"]


class WeightBuffer(wiring.Component):
    """``config.memory.weight_words`` weight words; one is written and one read in each cycle.

    What a word has behind its last group (see ``config.weight_word_bits``) is not kept. A word that
    has been accepted is there for reads from the next cycle on. A word
    must not be read while it is written: the tokens of a program see to it.

    Members
    -------
    write : In(stream(weight_store))
        Words from memory; always ready.
    read_en : In(1), address : In
        Read a word.
    word : Out
        It, ``latency`` cycles later.
    """

    latency = 2

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "write": In(stream.Signature(weight_store(config))),
                "read_en": In(1),
                "address": In(ceil_log2(config.memory.weight_words)),
                "word": Out(weight_broadcast(config)["data"].width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = RAM(
            depth=self._config.memory.weight_words,
            width=len(self.word),
            style="macro" if self._config.memory.style == "macro" else "block",
            name="weight buffer",
        )
        m.d.comb += [
            self.write.ready.eq(1),
            ram.w_en.eq(self.write.valid),
            ram.w_addr.eq(self.write.payload.address),
            ram.w_data.eq(self.write.payload.data[: len(self.word)]),
            ram.r_en.eq(self.read_en),
            ram.r_addr.eq(self.address),
        ]
        # Block RAM answers late in its cycle, and the broadcast has a long way to go.
        m.d.sync += unreset(m, self.word).eq(ram.r_data)
        return m
