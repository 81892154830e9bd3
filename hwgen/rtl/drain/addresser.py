"""Where a drained sum goes: from group, slot and position to a word of the activation buffer."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from ..commands import drain_item, instruction_layout
from .records import RecordMemory, path_write

__all__ = ["Addresser", "drain_place", "drain_sum"]


def drain_sum(config: Config) -> data.StructLayout:
    """A sum, its record number, and whether it came on the full path."""
    return data.StructLayout(
        {"sum": signed(32), "record": ceil_log2(config.memory.parameter_words), "full": 1}
    )


def drain_place(config: Config) -> data.StructLayout:
    """Where a sum's output goes, word and byte, and the word of its residual if there are any."""
    words = ceil_log2(config.array.clusters * config.memory.activation_words)
    residual = {"residual_word": words} if config.drain.residual else {}
    return data.StructLayout({"word": words, "byte": ceil_log2(config.array.lanes), **residual})


class Addresser(wiring.Component):
    """Takes the items of its groups, one group after the other, and finds their addresses.

    Throughput one item a cycle; ``latency`` cycles to the place. Items without an output channel
    vanish. Nothing stalls inside: items are taken while ``open``, and who sets it has room for
    what is under way.

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
    taken, vanished : Out(1)
        Strobes: an item with a sum was taken; one that was taken earlier has no channel.
    ended : Out(1)
        Strobe: the last item of the last group has been taken.
    sum_valid, sum : Out
        The sums that have a channel.
    place_valid, place : Out
        Their places, in the same order, some cycles later.
    """

    latency = 5

    def __init__(self, config: Config, *, groups: int):
        self._config = config
        self._groups = groups
        super().__init__(
            {
                "start": In(1),
                "command": In(instruction_layout("DRAIN", config)),
                "cluster": In(max(1, ceil_log2(config.array.clusters))),
                "group": In(max(1, ceil_log2(config.groups))),
                "items": In(stream.Signature(drain_item(config))).array(groups),
                "record_valid": In(1),
                "record": In(path_write(config)),
                "open": In(1),
                "taken": Out(1),
                "vanished": Out(1),
                "ended": Out(1),
                "sum_valid": Out(1),
                "sum": Out(drain_sum(config)),
                "place_valid": Out(1),
                "place": Out(drain_place(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        item, first_slot, first_record = self._serve(m)

        # 1: the slot's number and record.
        number = Signal.like(first_slot, reset_less=True)
        position = Signal.like(item.position, reset_less=True)
        valid = Signal()
        m.d.sync += [
            valid.eq(self.taken),
            number.eq(first_slot + item.slot),
            position.eq(item.position),
            self.sum["sum"].eq(item["sum"]),
            self.sum.record.eq(first_record + item.slot),
            self.sum.full.eq(item.full),
        ]
        has_channel = number < self.command.channels
        m.d.comb += [
            self.sum_valid.eq(valid & has_channel),
            self.vanished.eq(valid & ~has_channel),
        ]
        self._place(m, position)
        return m

    def _serve(self, m):
        """The item that is taken, with the number of the group's first slot and its record."""
        command = self.command
        serving = Signal(range(max(2, self._groups)))
        # Of a block of channels, over its groups; behind the last group it is their number.
        slots = range(self._config.channels_per_pass + 1)
        first_slot, group_slots = Signal(slots), Signal(slots)
        first_record = Signal.like(self.sum.record)
        item = Signal(drain_item(self._config))
        accept = Signal()
        with m.Switch(serving):
            for n, group in enumerate(self.items):
                with m.Case(n):
                    m.d.comb += [
                        item.eq(group.payload),
                        accept.eq(group.valid & self.open),
                        group.ready.eq(self.open),
                    ]
        before = Signal(slots)
        m.d.comb += [
            group_slots.eq(command.slots * self._config.array.group),
            before.eq(group_slots * self.group),
            self.taken.eq(accept & item.some),
            self.ended.eq(accept & item.last & (serving == self._groups - 1)),
        ]
        with m.If(self.start):
            m.d.sync += [
                serving.eq(0),
                first_slot.eq(before),
                first_record.eq(command.parameters + before),
            ]
        with m.Elif(accept & item.last):
            m.d.sync += [
                serving.eq(serving + 1),
                first_slot.eq(first_slot + group_slots),
                first_record.eq(first_record + group_slots),
            ]
        return item, first_slot, first_record

    def _place(self, m, position):
        """2: the channel is read. 3: it rests. 4: its plane is multiplied. 5: words are added."""
        config, command = self._config, self.command
        m.submodules.channels = channels = RecordMemory(
            config, fields=["channel"], name="record channels"
        )
        m.d.comb += [
            channels.write_valid.eq(self.record_valid),
            channels.write.eq(self.record),
            channels.read_en.eq(self.sum_valid),
            channels.read_index.eq(self.sum.record),
        ]
        raster_2, raster_3, plane, word = (
            Signal.like(self.place.word, name=name, reset_less=True)
            for name in ("raster_2", "raster_3", "plane", "word")
        )
        # Which of the G positions with this number is the cluster's; see the field `diagonal`.
        column = Signal(ceil_log2(config.array.clusters))
        turns = Mux(command.diagonal == 0, 0, (position << 1) >> command.diagonal)
        m.d.comb += column.eq(self.cluster - turns)
        lane_bits = ceil_log2(config.array.lanes)
        channel = Signal.like(channels.record.channel, reset_less=True)
        byte = Signal(lane_bits, reset_less=True)
        valids = Signal(3)
        m.d.sync += [
            Cat(valids, self.place_valid).eq(Cat(self.sum_valid, valids)),
            raster_2.eq(Cat(column, position)),
            # Block RAM is slow, and so is a multiplier: a register is between them.
            channel.eq(channels.record.channel),
            raster_3.eq(raster_2),
            plane.eq(channel[lane_bits:] * command.output_plane_stride),
            byte.eq(channel[:lane_bits]),
            word.eq(command.output + raster_3),
            self.place.word.eq(word + plane),
            self.place.byte.eq(byte),
        ]
        if config.drain.residual:
            residual_word = Signal.like(word, name="residual_word", reset_less=True)
            m.d.sync += [
                residual_word.eq(command.residual_input + raster_3),
                self.place.residual_word.eq(residual_word + plane),
            ]
