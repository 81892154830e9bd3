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

ROWS = 2048
"""Of a block RAM of an ECP5 with 9 bits a row."""


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

    @staticmethod
    def latency(config: Config) -> int:
        """Cycles from ``read_en`` to ``word``."""
        return 4 if config.array.deep_pipeline else 2

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
        # Block RAM answers late in its cycle, and the broadcast has a long way to go.
        word = unreset(m, self.word)
        m.d.comb += self.write.ready.eq(1)
        if not self._config.array.deep_pipeline:
            ram = self._memory(m, "ram", self._config.memory.weight_words)
            m.d.comb += [
                ram.w_en.eq(self.write.valid),
                ram.w_addr.eq(self.write.payload.address),
                ram.w_data.eq(self.write.payload.data[: len(word)]),
                ram.r_en.eq(self.read_en),
                ram.r_addr.eq(self.address),
            ]
            m.d.sync += word.eq(ram.r_data)
            return m
        m.d.sync += word.eq(self._distant(m))
        return m

    def _memory(self, m, name, depth):
        m.submodules[name] = ram = RAM(
            depth=depth,
            width=len(self.word),
            style="macro" if self._config.memory.style == "macro" else "block",
            name="weight buffer",
        )
        return ram

    def _distant(self, m):
        """Memories that lie all over an FPGA: what they get and give goes through registers. Each
        has the rows of one block, so that nothing is chosen before the register of the block.
        """
        depth = min(ROWS, self._config.memory.weight_words)
        reads, writes = Signal(), Signal()
        address = Signal.like(self.address, reset_less=True)
        write = Signal.like(self.write.payload, reset_less=True)
        m.d.sync += [
            reads.eq(self.read_en),
            writes.eq(self.write.valid),
            address.eq(self.address),
            write.eq(self.write.payload),
        ]
        answers = []
        for n in range(self._config.memory.weight_words // depth):
            ram = self._memory(m, f"ram{n}", depth)
            row_bits = len(ram.r_addr)
            m.d.comb += [
                ram.w_en.eq(writes & (write.address[row_bits:] == n)),
                ram.w_addr.eq(write.address[:row_bits]),
                ram.w_data.eq(write.data[: len(self.word)]),
                ram.r_en.eq(reads),
                ram.r_addr.eq(address[:row_bits]),
            ]
            answer = Signal(len(self.word), name=f"answer{n}", reset_less=True)
            m.d.sync += answer.eq(ram.r_data)
            answers.append(answer)
        asked, answered = (
            Signal(address[row_bits:].shape(), name=name, reset_less=True)
            for name in ("asked", "answered")
        )
        m.d.sync += [asked.eq(address[row_bits:]), answered.eq(asked)]
        return Array(answers)[answered] if len(answers) > 1 else answers[0]
