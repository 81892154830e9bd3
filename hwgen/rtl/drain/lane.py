"""One requantizer with what it needs to turn sums into bytes of the activation buffer."""

from amaranth import *
from amaranth.hdl import unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from ...config import Config
from ..commands import drain_item, instruction_layout
from .addresser import Addresser, drain_job
from .records import RecordMemory, record_write
from .requantizer import Requantizer

__all__ = ["DrainLane", "byte_write"]


def byte_write(config: Config) -> data.StructLayout:
    """A write to the activation buffer: word address, the word, and a bit for each byte that is written."""
    words = config.array.clusters * config.memory.activation_words
    lanes = config.array.lanes
    return data.StructLayout({"address": ceil_log2(words), "data": 8 * lanes, "mask": lanes})


class DrainLane(wiring.Component):
    """Requantizes one sum a cycle and writes it as a byte.

    The residual, if asked for, is read at the channel and position of the output; the record's full or base path requantizes.
    At most ``room`` items are under way, so that no queue inside can overflow; while the activation buffer answers
    within that many cycles, the throughput is one item a cycle.

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
        Read port of the activation buffer.
    write : Out(stream(byte_write))
        Write port of the activation buffer.
    record_valid, record : In
        From the load unit.
    done : Out(1)
        Strobe: all bytes are written.
    """

    room = 16

    def __init__(self, config: Config, *, groups: int):
        self._config = config
        self._groups = groups
        words = ceil_log2(config.array.clusters * config.memory.activation_words)
        super().__init__(
            {
                "start": In(1),
                "command": In(instruction_layout("DRAIN")),
                "cluster": In(max(1, ceil_log2(config.array.clusters))),
                "group": In(max(1, ceil_log2(config.groups))),
                "items": In(stream.Signature(drain_item(config))).array(groups),
                "request": Out(stream.Signature(unsigned(words))),
                "residual": In(stream.Signature(unsigned(8 * config.array.lanes))),
                "write": Out(stream.Signature(byte_write(config))),
                "record_valid": In(1),
                "record": In(record_write(config)),
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
        waiting = self._residual_requests(m, front)
        self._requantize(m, waiting)

        under_way = Signal(range(self.room + 1))
        finished = Signal()
        m.d.sync += under_way.eq(under_way + front.taken - (self.write.valid & self.write.ready))
        m.d.comb += [
            front.open.eq(under_way != self.room),
            self.done.eq(finished & (under_way == 0)),
        ]
        m.d.sync += finished.eq((finished & ~self.done) | front.ended)
        return m

    def _queue(self, m, name: str, valid, payload):
        """A queue that takes whatever comes; ``room`` bounds it."""
        queue = fifo.SyncFIFO(width=len(Value.cast(payload)), depth=self.room)
        m.submodules[name] = queue
        m.d.comb += [queue.w_en.eq(valid), queue.w_data.eq(payload)]
        return queue

    def _residual_requests(self, m, front):
        """Ask for residuals; sums wait for theirs in a queue."""
        asked = front.job_valid & self.command.residual
        requests = self._queue(m, "requests", asked, front.job.residual_word)
        m.d.comb += [
            self.request.valid.eq(requests.r_rdy),
            self.request.payload.eq(requests.r_data),
            requests.r_en.eq(self.request.ready),
        ]
        return self._queue(m, "waiting", front.job_valid, front.job)

    def _requantize(self, m, waiting):
        """Sum, residual and record meet in the requantizer; its results meet their addresses behind it."""
        config, lanes = self._config, self._config.array.lanes
        m.submodules.records = records = RecordMemory(
            config,
            fields=[
                "multiplier",
                "shift",
                "residual_multiplier",
                "bias",
                "base_multiplier",
                "base_shift",
                "base_residual_multiplier",
                "base_bias",
            ],
            name="records",
        )
        m.submodules.requantizer = requantizer = Requantizer(
            multiplier_bits=config.drain.multiplier_bits, shift_bits=config.drain.shift_bits
        )
        m.d.comb += [records.write_valid.eq(self.record_valid), records.write.eq(self.record)]

        job = Signal(drain_job(config))
        go = Signal()
        needs = self.command.residual
        m.d.comb += [
            job.eq(waiting.r_data),
            go.eq(waiting.r_rdy & (self.residual.valid | ~needs)),
            waiting.r_en.eq(go),
            self.residual.ready.eq(go & needs),
            records.read_en.eq(go),
            records.read_index.eq(job.record),
        ]
        held = Signal.like(job)
        byte = Signal(8)
        m.d.sync += [
            held.eq(job),
            byte.eq(Mux(needs, self.residual.payload.word_select(job.byte, 8), 0)),
        ]
        record, operands = records.record, requantizer.i
        m.d.comb += [
            operands.acc.eq(held["sum"]),
            operands.multiplier.eq(record.multiplier),
            operands.bias.eq(record.bias),
            operands.shift.eq(record.shift),
            operands.residual.eq(Cat(byte, byte[7] & self.command.residual_signed).as_signed()),
            operands.residual_multiplier.eq(record.residual_multiplier),
            operands.low.eq(self.command.low),
            operands.high.eq(self.command.high),
        ]
        if config.array.gated:
            with m.If(~held.full):
                m.d.comb += [
                    operands.multiplier.eq(record.base_multiplier),
                    operands.bias.eq(record.base_bias),
                    operands.shift.eq(record.base_shift),
                    operands.residual_multiplier.eq(record.base_residual_multiplier),
                ]

        targets = self._queue(m, "targets", go, Cat(job.byte, job.word))
        valid = go
        for n in range(requantizer.latency + 1):
            previous, valid = valid, Signal(name=f"valid_{n}")
            m.d.sync += valid.eq(previous)
        results = self._queue(m, "results", valid, requantizer.o[:8])
        byte_bits = ceil_log2(lanes)
        m.d.comb += [
            self.write.valid.eq(results.r_rdy),
            self.write.payload.address.eq(targets.r_data[byte_bits:]),
            self.write.payload.data.eq(results.r_data.replicate(lanes)),
            self.write.payload.mask.eq(1 << targets.r_data[:byte_bits]),
            results.r_en.eq(self.write.ready),
            targets.r_en.eq(self.write.valid & self.write.ready),
        ]
