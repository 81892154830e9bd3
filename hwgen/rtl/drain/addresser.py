"""Where a drained sum goes: from group, slot and position to a word of the activation buffer."""

from amaranth import *
from amaranth.hdl import signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from ..commands import drain_item, instruction_layout
from .records import RecordMemory, record_write

__all__ = ["Addresser", "drain_job"]


def drain_job(config: Config) -> data.StructLayout:
    """A sum with its record number and its place: word and byte of the output, word of the residual."""
    words = ceil_log2(config.array.clusters * config.memory.activation_words)
    return data.StructLayout(
        {
            "sum": signed(32),
            "record": ceil_log2(config.memory.parameter_words),
            "full": 1,
            "word": words,
            "byte": ceil_log2(config.array.lanes),
            "residual_word": words,
        }
    )


class Addresser(wiring.Component):
    """Takes the items of its groups, one group after the other, and finds their addresses.

    Throughput one item a cycle, ``latency`` cycles. Items without an output channel vanish. Nothing stalls inside:
    items are taken while ``open``, and who sets it has room for what is under way.

    Parameters
    ----------
    config : Config
        The accelerator.
    groups : int
        Groups that are served.

    Members
    -------
    start : In(1)
        Begin with ``command``, which stays stable until all is done.
    command : In(DRAIN)
        The instruction.
    cluster, group : In
        Number of the cluster and of the first group; constants.
    items : Array of In(stream(drain_item))
        From the groups.
    record_valid, record : In
        Records to store.
    open : In(1)
        An item may be taken.
    taken : Out(1)
        Strobe: one was, and a job will follow.
    ended : Out(1)
        Strobe: the last item of the last group has been taken.
    job_valid, job : Out
        The items, found.
    """

    latency = 3

    def __init__(self, config: Config, *, groups: int):
        self._config = config
        self._groups = groups
        super().__init__(
            {
                "start": In(1),
                "command": In(instruction_layout("DRAIN")),
                "cluster": In(max(1, ceil_log2(config.array.clusters))),
                "group": In(max(1, ceil_log2(config.groups))),
                "items": In(stream.Signature(drain_item(config))).array(groups),
                "record_valid": In(1),
                "record": In(record_write(config)),
                "open": In(1),
                "taken": Out(1),
                "ended": Out(1),
                "job_valid": Out(1),
                "job": Out(drain_job(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, array = self._config, self._config.array
        m.submodules.channels = channels = RecordMemory(
            config, fields=["channel"], name="record_channels"
        )
        m.d.comb += [channels.write_valid.eq(self.record_valid), channels.write.eq(self.record)]

        # Which group is served, and the number of its first slot.
        serving = Signal(range(max(2, self._groups)))
        first_slot = Signal(unsigned(12))
        group_slots = Signal(unsigned(12))
        item = Signal(drain_item(config))
        valid = Signal()
        accept = Signal()
        m.d.comb += [group_slots.eq(self.command.slots * array.group), accept.eq(valid & self.open)]
        with m.Switch(serving):
            for n, group in enumerate(self.items):
                with m.Case(n):
                    m.d.comb += [
                        item.eq(group.payload),
                        valid.eq(group.valid),
                        group.ready.eq(self.open),
                    ]
        with m.If(self.start):
            m.d.sync += [serving.eq(0), first_slot.eq(group_slots * self.group)]
        with m.Elif(accept & item.last):
            m.d.sync += [serving.eq(serving + 1), first_slot.eq(first_slot + group_slots)]
        m.d.comb += self.ended.eq(accept & item.last & (serving == self._groups - 1))

        # 1: the channel is looked up.
        number = Signal(unsigned(13))
        m.d.comb += [
            number.eq(first_slot + item.slot),
            self.taken.eq(accept & item.some & (number < self.command.channels)),
            channels.read_en.eq(1),
            channels.read_index.eq(self.command.parameters + number),
        ]
        words = self.job.word.shape()
        valid_1, valid_2 = Signal(), Signal()
        job_1, job_2 = Signal.like(self.job), Signal.like(self.job)
        raster = Signal(words)
        m.d.sync += [
            valid_1.eq(self.taken),
            job_1["sum"].eq(item["sum"]),
            job_1.record.eq(channels.read_index),
            job_1.full.eq(item.full),
            raster.eq(Cat(Const(0, ceil_log2(array.clusters)), item.position) + self.cluster),
        ]

        # 2: its plane is multiplied. 3: the words are added up.
        lane_bits = ceil_log2(array.lanes)
        channel = channels.record.channel
        plane = Signal(words)
        m.d.sync += [
            valid_2.eq(valid_1),
            job_2.eq(job_1),
            plane.eq(channel[lane_bits:] * self.command.output_plane_stride),
            job_2.byte.eq(channel[:lane_bits]),
            job_2.word.eq(self.command.output + raster),
            job_2.residual_word.eq(self.command.residual_input + raster),
            self.job_valid.eq(valid_2),
            self.job.eq(job_2),
            self.job.word.eq(job_2.word + plane),
            self.job.residual_word.eq(job_2.residual_word + plane),
        ]
        return m
