"""One requantizer with what it needs to turn sums into bytes of the activation buffer."""

from amaranth import *
from amaranth.hdl import unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from ...config import Config
from ..commands import drain_item, instruction_layout
from ..credit_queue import CreditQueue
from ..group.buffer import StreamBuffer
from ..two_places import TwoPlaces
from .addresser import Addresser
from .records import RecordMemory, path_write
from .requantizer import Requantizer

__all__ = ["DrainLane", "byte_write"]


def byte_write(config: Config) -> data.StructLayout:
    """A write to the activation buffer: word address, the word, and a bit for each byte that is
    written."""
    words = config.array.clusters * config.memory.activation_words
    lanes = config.array.lanes
    return data.StructLayout({"address": ceil_log2(words), "data": 8 * lanes, "mask": lanes})


class DrainLane(wiring.Component):
    """Requantizes one sum a cycle and writes it as a byte.

    The residual, if asked for, is read at the channel and position of the output; the record's
    full or base path requantizes. At most ``most_in_front`` sums are under way in front of the
    requantizer, and ``room`` behind, so that no queue inside can overflow; the throughput is one a
    cycle while the activation buffer answers within ``residual_cycles`` cycles. That is far away:
    ``residual.ready`` and ``write`` come from registers, and ``write.ready`` leads to such.

    Members
    -------
    start : In(1)
        Begin with ``command``, which stays stable until ``done``.
    command : In(DRAIN)
        The instruction.
    cluster, group : In
        Number of the cluster, and of the first group; constants.
    items : Array of In(stream(drain_item))
        From the groups.
    request, residual : stream
        Read port of the activation buffer; only with ``drain.residual``.
    write : Out(stream(byte_write))
        Write port of the activation buffer.
    record_valid, record : In
        From the load unit.
    done : Out(1)
        Strobe: all bytes are written.
    """

    room = 16
    most_in_front = room + 1  # a queue holds one more at its output
    residual_cycles = most_in_front - Addresser.latency - 4

    def __init__(self, config: Config, *, groups: int):
        self._config = config
        self._groups = groups
        words = ceil_log2(config.array.clusters * config.memory.activation_words)
        reader = {
            "request": Out(stream.Signature(unsigned(words))),
            "residual": In(stream.Signature(unsigned(8 * config.array.lanes))),
        }
        super().__init__(
            {
                "start": In(1),
                "command": In(instruction_layout("DRAIN", config)),
                "cluster": In(max(1, ceil_log2(config.array.clusters))),
                "group": In(max(1, ceil_log2(config.groups))),
                "items": In(stream.Signature(drain_item(config))).array(groups),
                **(reader if config.drain.residual else {}),
                "write": Out(stream.Signature(byte_write(config))),
                "record_valid": In(1),
                "record": In(path_write(config)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.addresser = front = Addresser(self._config, groups=self._groups)
        for own, inner in zip(self.items, front.items, strict=True):
            connect(m, flipped(own), inner)
        m.d.comb += [
            front.start.eq(self.start),
            front.command.eq(self.command),
            front.cluster.eq(self.cluster),
            front.group.eq(self.group),
            front.record_valid.eq(self.record_valid),
            front.record.eq(self.record),
        ]
        sums, places, residuals = self._wait(m, front)

        # A sum goes when its place, its residual and a free place behind the requantizer are there.
        go, room_behind, added = Signal(), Signal(), Signal()
        m.d.comb += [
            added.eq(1),
            go.eq(places.o.valid & room_behind & added),
            places.o.ready.eq(go),
            sums.o.ready.eq(go),
        ]
        if self._config.drain.residual:
            needs = self.command.residual
            m.d.comb += [
                added.eq(residuals.o.valid | ~needs),
                residuals.o.ready.eq(go & needs),
            ]
        place = places.o.payload
        operands = sums.o.payload, residuals and residuals.o.payload.word_select(place.byte, 8)
        result = self._requantize(m, places.o.valid, go, *operands)
        leaves = self._write(m, go, place, *result)

        # The highest bit says whether there is room: `room` is a power of two, and what is in front
        # is counted from a number below zero.
        empty = -self.most_in_front
        in_front, behind = Signal(range(empty, 1), init=empty), Signal(range(self.room + 1))
        finished = Signal()
        m.d.comb += [
            front.open.eq(in_front[-1]),
            room_behind.eq(~behind[-1]),
            self.done.eq(finished & (in_front == empty) & (behind == 0) & ~self.write.valid),
        ]
        m.d.sync += [
            in_front.eq(in_front + front.taken - front.vanished - go),
            behind.eq(behind + go - leaves),
            finished.eq((finished & ~self.done) | front.ended),
        ]
        return m

    def _queue(self, m, name: str, push, payload):
        """A queue that takes whatever comes; ``room`` bounds it."""
        queue = CreditQueue(payload.shape(), depth=self.room, name=f"drain {name}")
        m.submodules[name] = queue
        m.d.comb += [queue.push.eq(push), queue.i.eq(payload)]
        return queue

    def _wait(self, m, front):
        """Queues of sums, of their places, and of the residuals that are to be asked for; the door
        through which these come."""
        residuals = None
        sums = self._queue(m, "sums", front.sum_valid, front.sum)
        places = self._queue(
            m, "places", front.place_valid, self._target(front.place.word, front.place.byte)
        )
        if self._config.drain.residual:
            asked = front.place_valid & self.command.residual
            requests = self._queue(m, "requests", asked, front.place.residual_word)
            connect(m, requests.o, flipped(self.request))
            m.submodules.residuals = residuals = StreamBuffer(self.residual.payload.shape())
            connect(m, flipped(self.residual), residuals.i)
        return sums, places, residuals

    def _target(self, word, byte):
        """A word and a byte of it as one payload."""
        layout = data.StructLayout({"byte": len(byte), "word": len(word)})
        return data.View(layout, Cat(byte, word))

    def _requantize(self, m, waits, go, item, residual_byte):
        """Sum, residual and record meet in the requantizer."""
        config, command = self._config, self.command
        fields = ["multiplier", "shift", "bias"]
        if config.drain.residual:
            fields.insert(2, "residual_multiplier")
        m.submodules.records = records = RecordMemory(
            config,
            fields=fields,
            paths=2 if config.array.gated else 1,
            name="drain records",
        )
        m.submodules.requantizer = requantizer = Requantizer(
            multiplier_bits=config.drain.multiplier_bits,
            shift_max=config.drain.shift_max,
            residual=config.drain.residual,
        )

        def held(name, value):
            """``value`` when the record is there."""
            for n in range(records.latency):
                before, value = value, Signal.like(value, name=f"{name}_{n}", reset_less=True)
                m.d.sync += value.eq(before)
            return value

        m.d.comb += [
            records.write_valid.eq(self.record_valid),
            records.write.eq(self.record),
            # That the sum goes would come late.
            records.read_en.eq(waits),
            records.read_index.eq(item.record),
        ]
        operands, record = requantizer.i, records.record
        if config.drain.residual:
            residual = held("residual", Mux(command.residual, residual_byte, 0))
            sign = residual[7] & command.residual_signed
            m.d.comb += operands.residual.eq(Cat(residual, sign).as_signed())
        m.d.comb += [
            operands.acc.eq(held("sum", item["sum"])),
            requantizer.low.eq(command.low),
            requantizer.high.eq(command.high),
        ]
        m.d.comb += [operands[name].eq(record[name]) for name in fields]
        if config.array.gated:
            m.d.comb += records.read_base.eq(~item.full)

        valids = Signal(records.latency + requantizer.latency)
        m.d.sync += valids.eq(Cat(go, valids))
        return valids[-1], requantizer.o[:8]

    def _write(self, m, go, place, result_valid, result):
        """Results meet their places again, and go to the buffer; whether one leaves."""
        lanes = self._config.array.lanes
        targets = self._queue(m, "targets", go, place)
        results = self._queue(m, "results", result_valid, result)
        target, value, write = targets.o.payload, results.o.payload, self.write.payload
        m.submodules.written = written = TwoPlaces(
            data.StructLayout({"target": target.shape(), "value": value.shape()})
        )
        leaves, byte = Signal(), written.o.payload
        m.d.comb += [
            # Places are there long before their results.
            leaves.eq(results.o.valid & written.i.ready),
            results.o.ready.eq(written.i.ready),
            targets.o.ready.eq(leaves),
            written.i.valid.eq(results.o.valid),
            written.i.payload.target.eq(target),
            written.i.payload.value.eq(value),
            self.write.valid.eq(written.o.valid),
            written.o.ready.eq(self.write.ready),
            write.address.eq(byte.target.word),
            write.data.eq(byte.value.replicate(lanes)),
            write.mask.eq(1 << byte.target.byte),
        ]
        return leaves
