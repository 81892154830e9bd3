"""D engines in lockstep: one queue, one sequencer, rows of D sums."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from .. import mac
from ..commands import drain_command, drain_item, group_command, vector, weight_write
from . import weights
from .accumulators import Accumulators
from .buffer import StreamBuffer
from .drain_reader import DrainReader
from .layouts import operand_choice, row_operation
from .queue import VectorQueue
from .sequencer import Sequencer

__all__ = ["Group"]


class Group(wiring.Component):
    """A link of the chain of a cluster.

    Vectors go from ``i`` to ``o``, one a cycle, latency 1; a vector that this group wants is accepted
    when the queue has room for it too. ``i.ready`` depends on ``i.payload.want`` and on registers.

    A row takes ``latency`` cycles from its issue until its sums are written.

    Parameters
    ----------
    config : Config

    Members
    -------
    index : In
        Number of this group in its cluster; constant.
    i, o : In(stream of vector), Out(stream of vector)
        The chain. Without gate, every group takes every vector.
    command : In(stream of group_command)
        At least two are accepted before the first is done. Commands run in order.
    done : Out(1)
        Strobe, once a command, in order: all its sums (and tasks) are in the memories.
    weights : In(weight_write), weights_valid : In(1)
        Broadcast; words of other groups are ignored. No backpressure.
    chunk_loaded : In(1)
        Strobe for each chunk, in the cycle of its last word or the next.
    chunk_released : Out(1)
        Strobe for each chunk, in order: its weights, and the thresholds before it, are not needed
        any longer, except that thresholds stay while no others come.
    drain : In(stream of drain_command), items : Out(stream of drain_item)
        See :class:`DrainReader`. A drain reads what is done, from the bank that no command uses.
    busy, starved, unloaded, interlocked : Out(1)
        What the last cycle was for; see :class:`Sequencer`.
    """

    def __init__(self, config: Config):
        self._config = config
        members = {
            "index": In(max(1, ceil_log2(config.groups))),
            "i": In(stream.Signature(vector(config))),
            "o": Out(stream.Signature(vector(config))),
            "command": In(stream.Signature(group_command(config))),
            "done": Out(1),
            "weights": In(weight_write(config)),
            "weights_valid": In(1),
            "chunk_loaded": In(1),
            "chunk_released": Out(1),
            "drain": In(stream.Signature(drain_command(config))),
            "items": Out(stream.Signature(drain_item(config))),
            "busy": Out(1),
            "starved": Out(1),
            "unloaded": Out(1),
            "interlocked": Out(1),
        }
        super().__init__(members)

    @property
    def config(self) -> Config:
        return self._config

    def elaborate(self, platform):
        m = Module()
        config = self._config
        gated = config.array.gated
        engines = config.array.group

        m.submodules.link = link = StreamBuffer(vector(config))
        m.submodules.queue = queue = VectorQueue(
            depth=config.array.queue, width=8 * config.array.lanes, heads=2 if gated else 1
        )
        units = [mac.create(config) for _ in range(engines)]
        for e, unit in enumerate(units):
            m.submodules[f"mac{e}"] = unit
        m.submodules.weight_store = store = weights.create(config)
        m.submodules.accumulators = sums = Accumulators(config, sum_bits=units[0].sum_bits)
        m.submodules.sequencer = sequencer = Sequencer(
            config, interval=units[0].interval, distance=sums.distance
        )
        m.submodules.drain_reader = reader = DrainReader(config)

        self._connect_chain(m, link, queue)
        self._connect_weights(m, store, sequencer)

        # Issue.
        wiring.connect(m, wiring.flipped(self.command), sequencer.command)
        choice = Signal(operand_choice(config))
        heads = [Signal(8 * config.array.lanes, name="head0", reset_less=True)]
        m.d.comb += [
            sequencer.level.eq(queue.level),
            queue.pops.eq(sequencer.pops),
            store.read_en.eq(sequencer.operation.some),
            store.bank.eq(sequencer.choice.weight_bank),
        ]
        with m.If(sequencer.operation.some):
            m.d.sync += [choice.eq(sequencer.choice), heads[0].eq(queue.head0)]
        if gated:
            heads.append(Signal.like(heads[0], name="head1"))
            m.d.comb += store.slots.eq(sequencer.choice.slots)
            with m.If(sequencer.operation.some):
                m.d.sync += heads[1].eq(queue.head1)
        else:
            m.d.comb += store.column.eq(sequencer.choice.column)

        # Dot products, and the operation beside them.
        stages = [sequencer.operation]
        for n in range(1, units[0].latency + 2 - sums.READ_TO_PRODUCTS):
            stages.append(Signal(row_operation(config), name=f"operation{n}"))
            m.d.sync += stages[-1].eq(stages[-2])
        started = Signal()
        m.d.sync += started.eq(sequencer.operation.some)
        for e, unit in enumerate(units):
            activations = Mux(choice.second[e], heads[1], heads[0]) if gated else heads[0]
            m.d.comb += [
                unit.i_start.eq(started & choice.starts[e]),
                unit.i_activations.eq(activations),
                unit.i_signed.eq(choice.signed),
                unit.i_weights.eq(store.weights[e]),
                sums.products[e].eq(unit.o_sum),
            ]
        m.d.comb += sums.operation.eq(stages[-1])

        # Ends.
        m.d.sync += [
            self.chunk_released.eq(sums.early.release),
            self.done.eq(sums.written.end),
        ]
        m.d.comb += [
            self.busy.eq(sequencer.busy),
            self.starved.eq(sequencer.starved),
            self.unloaded.eq(sequencer.unloaded),
            self.interlocked.eq(sequencer.interlocked),
        ]
        wiring.connect(m, wiring.flipped(self.drain), reader.command)
        wiring.connect(m, reader.items, wiring.flipped(self.items))
        m.d.comb += [
            sums.drain_en.eq(reader.read_en),
            sums.drain_bank.eq(reader.read_bank),
            sums.drain_row.eq(reader.read_row),
            reader.sums.eq(sums.drain_sums),
        ]
        return m

    def _connect_chain(self, m, link, queue):
        """A vector moves on and, if it is wanted here, into the queue, both in one cycle."""
        wiring.connect(m, link.o, wiring.flipped(self.o))
        wanted = Signal()
        room = Signal()
        m.d.comb += [
            wanted.eq(1),
            room.eq(queue.ready | ~wanted),
            self.i.ready.eq(link.i.ready & room),
            link.i.valid.eq(self.i.valid & room),
            link.i.payload.eq(self.i.payload),
            queue.push.eq(self.i.valid & link.i.ready & wanted),
            queue.data.eq(self.i.payload.data),
        ]
        if self._config.array.gated:
            m.d.comb += wanted.eq(self.i.payload.want.bit_select(self.index, 1))
        else:
            m.d.comb += link.i.payload.want.eq(-1)

    def _connect_weights(self, m, store, sequencer):
        """The broadcast is registered at the door."""
        word = Signal(weight_write(self._config), reset_less=True)
        mine = Signal()
        m.d.sync += mine.eq(self.weights_valid & (self.weights.group == self.index))
        with m.If(self.weights_valid):
            m.d.sync += word.eq(self.weights)
        m.d.sync += sequencer.chunk_loaded.eq(self.chunk_loaded)
        m.d.comb += [
            store.write.eq(word),
            store.write_en.eq(mine & ~word.thresholds),
        ]
