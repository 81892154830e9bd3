"""Where a drained sum goes: from group, slot and position to a word of the activation buffer."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from ..commands import drain_item, instruction_layout
from ..mac.product import RegisteredProduct
from ..unreset import unreset
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

    latency = 6

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
        item, slots_left, first_record = self._serve(m)

        # 1: the slot's record, and whether it has a channel.
        position = Signal.like(item.position, reset_less=True)
        has_channel = item.slot < slots_left
        of_item = unreset(m, self.sum)
        m.d.sync += [
            self.sum_valid.eq(self.taken & has_channel),
            self.vanished.eq(self.taken & ~has_channel),
            position.eq(item.position),
            of_item["sum"].eq(item["sum"]),
            of_item.record.eq(first_record + item.slot),
            of_item.full.eq(item.full),
        ]
        self._place(m, position)
        return m

    def _serve(self, m):
        """The item that is taken, how many slots from the group's first on have channels, and the
        record of that slot.
        """
        command = self.command
        serving = Signal(range(max(2, self._groups)))
        # Of a block of channels, over its groups; behind the last group it is their number.
        slots = range(self._config.channels_per_pass + 1)
        group_slots = Signal(slots)
        slots_left = Signal(signed(1 + len(command.channels - group_slots)))
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
                slots_left.eq(command.channels - before),
                first_record.eq(command.parameters + before),
            ]
        with m.Elif(accept & item.last):
            m.d.sync += [
                serving.eq(serving + 1),
                slots_left.eq(slots_left - group_slots),
                first_record.eq(first_record + group_slots),
            ]
        return item, slots_left, first_record

    def _place(self, m, position):
        """2: read the channel. 3: it rests. 4, 5: multiply its plane. 6: add words."""
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
        raster_2, raster_3, raster_4, word = (
            Signal.like(self.place.word, name=name, reset_less=True)
            for name in ("raster_2", "raster_3", "raster_4", "word")
        )
        # Which of the G positions with this number is the cluster's; see the field `diagonal`.
        column = Signal(ceil_log2(config.array.clusters))
        turns = Mux(command.diagonal == 0, 0, (position << 1) >> command.diagonal)
        m.d.comb += column.eq(self.cluster - turns)
        lane_bits = ceil_log2(config.array.lanes)
        channel = channels.record.channel
        # Addresses wrap at the number of words.
        factors = [
            value[: len(word)] for value in (channel[lane_bits:], command.output_plane_stride)
        ]
        plane = RegisteredProduct(
            a=1 + len(factors[0]), b=1 + len(factors[1]), o=2 + len(Cat(factors))
        )
        m.submodules.plane = plane
        m.d.comb += [plane.i_en.eq(1), plane.i_a.eq(factors[0]), plane.i_b.eq(factors[1])]
        byte_4, byte_5 = (
            Signal(lane_bits, name=name, reset_less=True) for name in ("byte_4", "byte_5")
        )
        valids = Signal(4)
        place = unreset(m, self.place)
        m.d.sync += [
            Cat(valids, self.place_valid).eq(Cat(self.sum_valid, valids)),
            raster_2.eq(Cat(column, position)),
            raster_3.eq(raster_2),
            raster_4.eq(raster_3),
            byte_4.eq(channel[:lane_bits]),
            byte_5.eq(byte_4),
            word.eq(command.output + raster_4),
            place.word.eq(word + plane.o),
            place.byte.eq(byte_5),
        ]
        if config.drain.residual:
            residual_word = Signal.like(word, name="residual_word", reset_less=True)
            m.d.sync += [
                residual_word.eq(command.residual_input + raster_4),
                place.residual_word.eq(residual_word + plane.o),
            ]
