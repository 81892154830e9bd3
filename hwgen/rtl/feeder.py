"""The source of the weights of a pass."""

from collections.abc import Mapping

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..config import Config
from .commands import instruction_layout, weight_broadcast
from .control.ports import weight_store
from .credits import Credits
from .weight_buffer import WeightBuffer

__all__ = ["WeightFeeder"]


class WeightFeeder(wiring.Component):
    """Holds the weight buffer, and sends the weights of a PASS to all groups of all clusters.

    Thresholds first, if the pass asks for them, then chunk after chunk; each word has a part for
    every group. The words lie in the buffer in that order from ``weights`` on, and around its end.
    A word a cycle, also from chunk to chunk and from command to command; the first one leaves
    ``latency`` cycles after its command, if there are credits.

    A chunk starts when every group has a free weight bank, and takes one of each. Thresholds wait
    for the same, but take none; behind a pass with a gate they wait until all banks are free, since
    a group has one set of thresholds. Banks alternate chunk by chunk from bank 0 after reset.

    Parameters
    ----------
    config : Config

    Members
    -------
    write : In(stream(weight_store))
        Loaded words, see :class:`WeightBuffer`.
    command : In(stream(PASS))
        The instruction.
    weights_valid : Out(1), weights : Out(weight_broadcast)
        The broadcast.
    chunk_loaded : Out(1)
        Strobe in the cycle after the last word of a chunk.
    released : In(G * n)
        Strobe of each group: a weight bank is free again.
    waiting : Out(1)
        There is something to send, but no bank is free.
    busy : Out(1)
        A command is being worked on, or its last words are under way.
    """

    banks = 2

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "write": In(stream.Signature(weight_store(config))),
                "command": In(stream.Signature(instruction_layout("PASS", config))),
                "weights_valid": Out(1),
                "weights": Out(weight_broadcast(config)),
                "chunk_loaded": Out(1),
                "released": In(config.array.clusters * config.groups),
                "waiting": Out(1),
                "busy": Out(1),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from a command that finds room to its first word."""
        return 1 + WeightBuffer.latency(self._config)

    @staticmethod
    def thresholds_per_word(config: Config) -> int:
        """Thresholds that a weight word carries for each group."""
        return min(config.array.group, config.weight_part_bits // 32)

    @classmethod
    def model(cls, config: Config, command: Mapping[str, int], bank: int) -> list[dict[str, int]]:
        """The words of a pass in order: ``address`` in the buffer, and the fields of the broadcast
        but ``data``; ``bank`` is that of the first chunk.
        """
        per_group = config.array.group * command["slots"]
        chunk_words = -(-per_group // config.memory.weight_slots)
        threshold_words = -(-per_group // cls.thresholds_per_word(config))
        rounds = [(1, threshold_words, bank)] if command["thresholds"] else []
        rounds += [(0, chunk_words, (bank + n) & 1) for n in range(command["chunks"])]
        words = []
        for thresholds, count, its_bank in rounds:
            for index in range(count):
                address = (command["weights"] + len(words)) % config.memory.weight_words
                words.append(
                    {
                        "address": address,
                        "index": index,
                        "bank": its_bank,
                        "thresholds": thresholds,
                    }
                )
        return words

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = WeightBuffer(self._config)
        m.submodules.credits = credits = Credits(ways=len(self.released), room=self.banks)
        connect(m, flipped(self.write), buffer.write)
        m.d.comb += credits.released.eq(self.released)

        sent = Signal(data.StructLayout({"valid": 1, "ends_chunk": 1, "word": self._word()}))
        active = Signal()
        self._walk(m, buffer, credits, sent, active)
        # What is known of a word travels beside its way through the memory.
        busy = active
        for n in range(buffer.latency(self._config)):
            stage = Signal.like(sent, name=f"sent{n}")
            m.d.sync += stage.eq(sent)
            sent = stage
            busy = busy | stage.valid
        m.d.comb += self.busy.eq(busy)
        m.d.sync += self.chunk_loaded.eq(sent.ends_chunk)
        m.d.comb += [
            self.weights_valid.eq(sent.valid),
            self.weights.data.eq(buffer.word),
            *(self.weights[name].eq(sent.word[name]) for name in self._word().members),
        ]
        return m

    def _word(self) -> data.StructLayout:
        """A weight word without its data."""
        members = weight_broadcast(self._config).members
        return data.StructLayout({k: v for k, v in members.items() if k != "data"})

    def _walk(self, m, buffer, credits, sent, active):
        """One word in each cycle with ``sent.valid``."""
        engines = self._config.array.group
        word, command = sent.word, self.command.payload
        fresh = Signal()
        chunks, address = Signal.like(command.chunks), Signal.like(buffer.address)
        # Sizes are powers of two but for the slots, so both divisions are shifts.
        lasts, alone = [], []
        for name, per_word in (
            ("last_weights", self._config.memory.weight_slots),
            ("last_thresholds", self.thresholds_per_word(self._config)),
        ):
            lasts.append(last := Signal.like(word.index, name=name))
            words = command.slots * (engines // per_word)
            alone.append(words == 1)
            with m.If(self.command.ready):
                m.d.sync += last.eq(words - 1)

        room, sends, ends = Signal(), Signal(), Signal()
        # The word is the last of its chunk, or of the thresholds; the chunk is the last. Set with
        # what they compare.
        ends_round, final = Signal(), Signal()
        # The pass before, if it gates, may still be comparing with the thresholds that are there.
        gates, gated = Signal(), Signal()
        m.d.comb += room.eq(credits.available)
        if self._config.array.gated:
            with m.If(word.thresholds & gated):
                m.d.comb += room.eq(credits.full)
        m.d.comb += [
            sends.eq(active & (room | ~fresh)),
            ends.eq(ends_round & ~word.thresholds & final),
            sent.valid.eq(sends),
            sent.ends_chunk.eq(sends & ends_round & ~word.thresholds),
            credits.take.eq(sends & fresh & ~word.thresholds),
            self.waiting.eq(active & fresh & ~room),
            buffer.read_en.eq(sends),
            buffer.address.eq(address),
            self.command.ready.eq(~active | (sends & ends)),
        ]
        index, bank, thresholds = (
            Signal.like(word[name], name=name) for name in ("index", "bank", "thresholds")
        )
        m.d.comb += [
            word.index.eq(index),
            word.bank.eq(bank),
            word.thresholds.eq(thresholds),
        ]
        with m.If(sends):
            m.d.sync += [
                address.eq(address + 1),
                index.eq(Mux(ends_round, 0, index + 1)),
                ends_round.eq(index + 1 == Mux(thresholds, lasts[1], lasts[0])),
                fresh.eq(ends_round),
            ]
            with m.If(ends_round):
                m.d.sync += [
                    ends_round.eq(lasts[0] == 0),  # behind a round comes one of weights
                    thresholds.eq(0),
                    bank.eq(bank ^ ~thresholds),
                    chunks.eq(chunks - ~thresholds),
                    final.eq(Mux(thresholds, final, chunks == 2)),
                ]
        with m.If(self.command.ready):
            m.d.sync += [
                active.eq(self.command.valid),
                fresh.eq(1),
                thresholds.eq(command.thresholds),
                chunks.eq(command.chunks),
                final.eq(command.chunks == 1),
                ends_round.eq(Mux(command.thresholds, alone[1], alone[0])),
                address.eq(command.weights),
            ]
        with m.If(self.command.ready & self.command.valid):
            m.d.sync += [gates.eq(command.gate), gated.eq(gates)]
