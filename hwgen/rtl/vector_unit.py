"""Pooling and addition on planes of the activation buffer."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect
from amaranth.utils import ceil_log2

from .. import arithmetic
from ..config import Config
from .commands import instruction_layout
from .credit_queue import CreditQueue
from .drain.lane import byte_write
from .drain.records import RecordMemory, path_write
from .fifo import counted
from .group.buffer import StreamBuffer
from .two_places import TwoPlaces
from .vector.tap_walker import ADDITION, MAXIMUM, PACK, TapWalker
from .vector.window_reducer import WindowReducer, tap_flags
from .vector.word_packer import WordPacker
from .vector.word_requantizer import WordRequantizer

__all__ = ["VectorUnit"]


class VectorUnit(wiring.Component):
    """Runs VECTOR instructions, one at a time: maximum or sum over windows, a sum of two tensors,
    or, where modes need it, packing.

    All R lanes of a word at once. With a buffer that answers within ``taps_under_way`` cycles, a
    window takes a cycle for each of its taps, also for those outside of the input, which are not
    read; an addition takes two, a packed word one for each word in it; and what is requantized
    takes at least R cycles. Words leave in the order of the output, so that one counter addresses
    them.

    ::

        command ─ tap walker ─┬─ request ──▶ buffer ──▶ data ─┐
                              └─ flags of the taps ────────────┴─ reducer ─┬─ requantizer ─┬─ write
                                                                           └─ (max, pack) ─┘

    Numbers: a maximum is exact; a sum has 23 bits, enough for any window; requantization is that
    of the drain, with the record's full path. A window without any tap inside gives 0, or 0
    requantized.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    command : In(stream(VECTOR))
        Accepted when idle.
    done : Out(1)
        Strobe: all words of the instruction are written.
    request, data : stream
        Read port of the activation buffer: addresses, and the words in the same order.
    write : Out(stream(byte_write))
        Write port of the activation buffer; whole words.
    record_valid, record : In
        From the load unit.
    """

    taps_under_way = 16
    words_under_way = 8

    def __init__(self, config: Config):
        self._config = config
        words = ceil_log2(config.array.clusters * config.memory.activation_words)
        super().__init__(
            {
                "command": In(stream.Signature(instruction_layout("VECTOR", config))),
                "done": Out(1),
                "request": Out(stream.Signature(words)),
                "data": In(stream.Signature(config.vector_bits)),
                "write": Out(stream.Signature(byte_write(config))),
                "record_valid": In(1),
                "record": In(path_write(config)),
            }
        )

    def model(self, command: dict, record: dict, activations) -> list[tuple[int, list[int]]]:
        """The writes of an instruction, in order: address and bytes.

        ``record`` is the record at ``command["parameters"]``; ``activations`` holds the R bytes
        of each word of the buffer.
        """
        size = self._config.array.clusters * self._config.memory.activation_words
        c = command

        def value(word, lane):
            byte = int(activations[word % size][lane])
            return byte - 256 if c["signed"] and byte > 127 else byte

        def stack(plane, row, column):
            """Words of a position, plane after plane."""
            at = c["input"] + row * c["in_columns"] + column
            for line in range(c["kernel_rows"]):
                word = at + (plane * c["kernel_rows"] + line) * c["second"]
                yield [int(byte) for byte in activations[word % size]]

        def taps(plane, row, column):
            """Words of the window that lie inside."""
            for y in range(c["kernel_rows"]):
                for x in range(c["kernel_columns"]):
                    at = (
                        row * c["stride"] + y - c["pad_top"],
                        column * c["stride"] + x - c["pad_left"],
                    )
                    if 0 <= at[0] < c["in_rows"] and 0 <= at[1] < c["in_columns"]:
                        line = plane * c["in_rows"] + at[0]
                        yield c["input"] + line * c["in_columns"] + at[1]

        writes = []
        for plane in range(c["planes"]):
            for row in range(c["out_rows"]):
                for column in range(c["out_columns"]):
                    if c["operation"] == PACK:
                        how = {name: c[name] for name in ("room", "copies", "shift", "bits")}
                        packed = WordPacker.model(list(stack(plane, row, column)), **how)
                        writes.append(((c["output"] + len(writes)) % size, packed))
                        continue
                    window, number = list(taps(plane, row, column)), len(writes)
                    result = []
                    for lane in range(self._config.array.lanes):
                        values = [value(word, lane) for word in window]
                        if c["operation"] == MAXIMUM:
                            result.append(max(values, default=0) & 0xFF)
                            continue
                        other = (
                            value(c["second"] + number, lane) if c["operation"] == ADDITION else 0
                        )
                        y = arithmetic.requantize(
                            sum(values),
                            record["multiplier"],
                            record["bias"],
                            record["shift"],
                            c["low"],
                            c["high"],
                            residual=other,
                            residual_multiplier=record["residual_multiplier"],
                        )
                        result.append(int(y) & 0xFF)
                    writes.append(((c["output"] + number) % size, result))
        return writes

    def elaborate(self, platform):
        m = Module()
        config = self._config
        command = Signal(instruction_layout("VECTOR", config), reset_less=True)
        busy, start = Signal(), Signal()
        m.d.comb += self.command.ready.eq(~busy)
        m.d.sync += start.eq(self.command.valid & ~busy)
        with m.If(self.command.valid & ~busy):
            m.d.sync += [command.eq(self.command.payload), busy.eq(1)]
        with m.Elif(self.done):
            m.d.sync += busy.eq(0)

        m.submodules.walker = walker = TapWalker(config)
        m.d.comb += [walker.start.eq(start), walker.command.eq(command)]
        # What the operation means for streams, apart from what it means for words: it counts in
        # many places, and the streams are in a hurry.
        maximum, exact = Signal(), Signal()
        m.d.sync += maximum.eq(command.operation == MAXIMUM)
        with m.If(start):
            m.d.sync += exact.eq((command.operation == MAXIMUM) | (command.operation == PACK))
        reducer = self._reduce(m, walker, command, maximum)
        leaves = self._finish(m, reducer, command, start, exact)

        # Every window becomes a write.
        missing = Signal(range(self.taps_under_way + self.words_under_way + 4))
        walked = Signal()
        m.d.sync += missing.eq(counted(missing, walker.window_ended, leaves))
        m.d.sync += walked.eq((walked & ~self.done) | walker.ended)
        m.d.comb += self.done.eq(walked & (missing == 0) & ~self.write.valid)
        return m

    def _reduce(self, m, walker, command, maximum):
        """Taps to their words, words to results."""
        m.submodules.requests = requests = CreditQueue(
            walker.tap.address.shape(), depth=self.taps_under_way, name="vector requests"
        )
        m.submodules.taps = taps = CreditQueue(
            tap_flags(), depth=self.taps_under_way, name="vector taps"
        )
        m.submodules.reducer = reducer = WindowReducer(self._config)
        m.d.comb += [
            requests.push.eq(walker.tap_valid & walker.tap.inside),
            requests.i.eq(walker.tap.address),
            taps.push.eq(walker.tap_valid),
            *(taps.i[flag].eq(walker.tap[flag]) for flag in tap_flags().members),
            reducer.maximum.eq(maximum),
            reducer.signed.eq(command.signed),
        ]
        if reducer.packer is not None:
            m.d.comb += [
                getattr(reducer.packer, name).eq(command[name])
                for name in ("room", "copies", "shift", "bits")
            ]
        connect(m, requests.o, wiring.flipped(self.request))
        connect(m, taps.o, reducer.taps)
        # The activation buffer is far away.
        m.submodules.words = words = StreamBuffer(self.data.payload.shape())
        connect(m, wiring.flipped(self.data), words.i)
        connect(m, words.o, reducer.words)

        # Both queues have room for the taps that the reducer has not taken. It is a power of two:
        # the highest bit says that it is full.
        under_way = Signal(range(self.taps_under_way + 1))
        taken = taps.o.valid & taps.o.ready
        m.d.sync += under_way.eq(counted(under_way, walker.stepped, taken))
        m.d.comb += walker.open.eq(~under_way[-1])
        return reducer

    def _finish(self, m, reducer, command, start, exact):
        """Results to words of bytes, and these to the buffer; whether one leaves."""
        config = self._config
        m.submodules.records = records = RecordMemory(
            config,
            fields=["multiplier", "shift", "residual_multiplier", "bias"],
            name="vector records",
        )
        m.submodules.requantizer = requantizer = WordRequantizer(config)
        m.submodules.results = results = CreditQueue(
            config.vector_bits, depth=self.words_under_way, name="vector results"
        )
        m.d.comb += [
            records.write_valid.eq(self.record_valid),
            records.write.eq(self.record),
            records.read_en.eq(start),
            records.read_index.eq(command.parameters),
            *(
                requantizer.record[field].eq(records.record[field])
                for field in records.record.shape().members
            ),
            requantizer.addition.eq(command.operation == ADDITION),
            requantizer.low.eq(command.low),
            requantizer.high.eq(command.high),
        ]

        word = Signal(config.vector_bits, name="exact_word")
        room, taken = Signal(), Signal()
        m.d.comb += word.eq(Cat(value[:8] for value in reducer.o.payload["values"]))
        if reducer.packer is not None:
            with m.If(command.operation == PACK):
                m.d.comb += word.eq(reducer.o.payload.packed)
        m.d.comb += [
            requantizer.i.payload.eq(reducer.o.payload),
            requantizer.i.valid.eq(reducer.o.valid & room & ~exact),
            reducer.o.ready.eq(room & (exact | requantizer.i.ready)),
            taken.eq(reducer.o.valid & reducer.o.ready),
            results.push.eq(Mux(exact, taken, requantizer.o_valid)),
            results.i.eq(Mux(exact, word, requantizer.o)),
        ]

        address, leaves = Signal.like(self.write.payload.address), Signal()
        m.submodules.written = written = TwoPlaces(
            data.StructLayout({"address": address.shape(), "data": results.o.payload.shape()})
        )
        m.d.comb += [
            leaves.eq(results.o.valid & written.i.ready),
            results.o.ready.eq(written.i.ready),
            written.i.valid.eq(results.o.valid),
            written.i.payload.address.eq(address),
            written.i.payload.data.eq(results.o.payload),
            self.write.valid.eq(written.o.valid),
            written.o.ready.eq(self.write.ready),
            self.write.payload.address.eq(written.o.payload.address),
            self.write.payload.data.eq(written.o.payload.data),
            self.write.payload.mask.eq(-1),
        ]
        with m.If(start):
            m.d.sync += address.eq(command.output)
        with m.Elif(leaves):
            m.d.sync += address.eq(address + 1)

        under_way = Signal(range(self.words_under_way + 1))
        m.d.sync += under_way.eq(counted(under_way, taken, leaves))
        m.d.comb += room.eq(~under_way[-1])
        return leaves
