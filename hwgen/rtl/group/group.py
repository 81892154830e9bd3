"""D engines in lockstep: one queue, one sequencer, rows of D sums."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from .. import mac
from ..commands import drain_command, drain_item, group_command, vector, weight_write
from . import weights
from .accumulators import Accumulators
from .buffer import StreamBuffer
from .drain_reader import DrainReader
from .fired_counts import COUNT_BITS, FiredCounts
from .gate import Gate
from .layouts import column_shape, row_operation
from .model import GroupModel
from .packer import TaskPacker
from .position_list import PositionList
from .queue import VectorQueue
from .sequencer import Sequencer
from .task_store import TaskStore
from .weight_door import WeightDoor

__all__ = ["Group"]

MOST_SHIFT = 7
"""The largest ``sum_shift``."""


class Group(wiring.Component):
    """A link of the chain of a cluster.

    Vectors go from ``i`` to ``o``, one a cycle, latency 1; a vector that this group wants is
    accepted when the queue has room for it too. ``i.ready`` depends on ``i.payload.want`` and on
    registers.

    In a dense chunk a row is issued as often as its mode has steps, column by column of position by
    position, in a conditional chunk likewise task row by task row, also across chunks and commands:
    as long as vectors and weights are there, no row comes back within 4 cycles, and the mode stays.

    Parameters
    ----------
    config : Config

    Members
    -------
    index : In
        Number of this group in its cluster; constant.
    i, o : In(stream of vector), Out(stream of vector)
        The chain. Without gate, every group takes every vector. A group that is alone in its
        chain gives nothing to ``o``.
    command : In(stream of group_command)
        At least two are accepted before the first is done. Commands run in order.
    done : Out(1)
        Strobe, once a command, in order: all its sums (and tasks) are in the memories.
    weights : In(weight_write), weights_valid : In(1)
        What is broadcast for this group. No backpressure.
    chunk_loaded : In(1)
        Strobe for each chunk, in the cycle of its last word or the next.
    chunk_released : Out(1)
        Strobe for each chunk, in order: its weights, and the thresholds before it, are not needed
        any longer, except that thresholds stay while no others come.
    drain : In(stream of drain_command), items : Out(stream of drain_item)
        See :class:`DrainReader`. A drain reads what is done, from the bank that no command uses.
    busy, starved, unloaded, interlocked : Out(1)
        What the last cycle was for; see :class:`Sequencer`.
    decided : Out(1), any : Out(1)
        Strobe for each position of a gate, in order; ``any``: it has tasks here, and conditional
        passes want its vector, once a chunk. This and the following: gated only.
    counts_address : In, counts : Out(array of D), counts_valid : Out(1)
        See :class:`FiredCounts`.
    fired : Out
        Outputs that have fired in the cycle before.
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
        if config.array.gated:
            counts = data.ArrayLayout(COUNT_BITS, config.array.group)
            members |= {
                "decided": Out(1),
                "any": Out(1),
                "counts_address": In(column_shape(config)),
                "counts": Out(counts),
                "counts_valid": Out(1),
                "fired": Out(range(config.array.group + 1)),
            }
        super().__init__(members)
        self._shifts = mac.shifts_sums(config)

    @property
    def config(self) -> Config:
        return self._config

    @property
    def latency(self) -> int:
        """Cycles from the issue of a row in the mode with the most steps until a drain may read its
        sums; ``done`` comes then.
        """
        late = mac.shifts_sums(self._config) + self._config.array.deep_pipeline
        return mac.facts(self._config).latency + late + 3

    def model(self) -> GroupModel:
        """A new model of this group, as integers."""
        return GroupModel(self._config)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        gated = config.array.gated

        link = None
        if config.groups > 1:
            m.submodules.link = link = StreamBuffer(vector(config))
        trims = config.array.trim_planes
        width = 8 * config.array.lanes + (mac.spare_planes.size if trims else 0)
        m.submodules.queue = queue = VectorQueue(
            depth=config.array.queue, width=width, heads=2 if gated else 1
        )
        units = [mac.create(config) for _ in range(config.array.group)]
        m.submodules.weight_store = store = weights.create(config)
        m.submodules.accumulators = sums = Accumulators(
            config, sum_bits=min(32, units[0].sum_bits + (MOST_SHIFT if self._shifts else 0))
        )
        m.submodules.sequencer = sequencer = Sequencer(
            config, steps=list(map(units[0].steps_in, units[0].modes)), distance=sums.distance
        )
        m.submodules.drain_reader = reader = DrainReader(config)

        self._connect_chain(m, link, queue)
        door = self._connect_weights(m, store, sequencer)
        self._connect_engines(m, queue, units, store, sequencer, sums)
        self._connect_drain(m, sums, reader)

        wiring.connect(m, wiring.flipped(self.command), sequencer.command)
        ended = Signal()
        m.d.comb += ended.eq(sums.written.end)
        m.d.sync += [self.chunk_released.eq(sums.early.release), self.done.eq(ended)]
        for name in ("busy", "starved", "unloaded", "interlocked"):
            m.d.comb += getattr(self, name).eq(getattr(sequencer, name))

        if gated:
            gate, packer = self._add_gate(m, sequencer, sums, reader)
            m.d.comb += [
                gate.write.eq(door.word),
                gate.write_en.eq(door.arrived & door.word.thresholds),
                ended.eq((sums.written.end & ~sums.written.gate) | packer.done),
            ]
        return m

    def _connect_chain(self, m, link, queue):
        """A vector moves on and, if it is wanted here, into the queue, both in one cycle."""
        wanted, room, moves = Signal(), Signal(), Signal()
        stored = self.i.payload.data
        if self._config.array.trim_planes:
            m.submodules.planes = planes = mac.PlaneCounter(lanes=self._config.array.lanes)
            m.d.comb += planes.i.eq(stored)
            stored = Cat(stored, planes.o)
        m.d.comb += [
            wanted.eq(1),
            moves.eq(1),
            room.eq(queue.ready | ~wanted),
            self.i.ready.eq(moves & room),
            queue.push.eq(self.i.valid & moves & wanted),
            queue.data.eq(stored),
        ]
        if self._config.array.gated:
            m.d.comb += wanted.eq(self.i.payload.want.bit_select(self.index, 1))
        if link is None:
            return
        wiring.connect(m, link.o, wiring.flipped(self.o))
        m.d.comb += [
            moves.eq(link.i.ready),
            link.i.valid.eq(self.i.valid & room),
            link.i.payload.eq(self.i.payload),
        ]
        if not self._config.array.gated:
            m.d.comb += link.i.payload.want.eq(-1)

    def _connect_weights(self, m, store, sequencer):
        """The broadcast is registered at the door, which is returned."""
        m.submodules.door = door = WeightDoor(self._config)
        m.d.comb += [
            door.weights.eq(self.weights),
            door.weights_valid.eq(self.weights_valid),
            door.chunk_loaded.eq(self.chunk_loaded),
            sequencer.chunk_loaded.eq(door.loaded),
            store.write.eq(door.word),
            store.write_en.eq(door.arrived & ~door.word.thresholds),
            store.read_en.eq(sequencer.starts),
            store.bank.eq(sequencer.weight_bank),
        ]
        return door

    def _connect_engines(self, m, queue, units, store, sequencer, sums):
        """Operands to the MAC units, dot products to the sums, and the operation beside them."""
        gated = self._config.array.gated
        some = sequencer.starts
        m.d.comb += [sequencer.some.eq(queue.some), queue.pops.eq(sequencer.pops)]
        if gated:
            m.d.comb += sequencer.two.eq(queue.two)
            m.d.comb += store.slots.eq(sequencer.choice.slots)
        else:
            m.d.comb += store.column.eq(sequencer.choice.column)

        # The weights take a cycle, and so do the vectors.
        started = Signal()
        starts = Signal(len(units), reset_less=True)
        second = Signal(len(units), reset_less=True)
        is_signed = Signal(reset_less=True)
        heads = [queue.head0, queue.head1] if gated else [queue.head0]
        if self._config.array.trim_planes:
            heads = [self._add_trimmer(m, queue.head0, units[0].modes, sequencer)]
        vectors = [
            Signal.like(head, name=f"vector{n}", reset_less=True) for n, head in enumerate(heads)
        ]
        m.d.sync += started.eq(some)
        with m.If(some):
            m.d.sync += [
                starts.eq(sequencer.choice.starts),
                is_signed.eq(sequencer.choice.signed),
            ]
            if gated:
                m.d.sync += second.eq(sequencer.choice.second)
            m.d.sync += [vector.eq(head) for vector, head in zip(vectors, heads, strict=True)]
        several = units[0].mode_code is not None
        if several:
            mode = Signal.like(sequencer.choice.mode, reset_less=True)
            with m.If(some):
                m.d.sync += mode.eq(sequencer.mode)
        given = "sync" if self._config.array.deep_pipeline else "comb"
        for e, unit in enumerate(units):
            m.submodules[f"mac{e}"] = unit
            activations = Mux(second[e], vectors[1], vectors[0]) if gated else vectors[0]
            ports = {
                "start": started & starts[e],
                "activations": activations,
                "signed": is_signed,
                "weights": store.weights[e],
            }
            if several:
                ports["mode"] = mode
            for name, value in ports.items():
                port = getattr(unit, f"i_{name}")
                operand = Signal.like(port, name=f"{name}{e}", reset_less=name != "start")
                m.d[given] += operand.eq(value)
                m.d.comb += port.eq(operand)
            # A product of several steps is as far behind the last as one of a single step.
            m.d["sync" if self._shifts else "comb"] += sums.products[e].eq(
                unit.o_sum << sums.early.sum_shift if self._shifts else unit.o_sum
            )

        operation = sequencer.operation
        depth = units[0].latency - units[0].interval + 1 + self._shifts
        depth += self._config.array.deep_pipeline
        for n in range(1 + depth - sums.READ_TO_PRODUCTS):
            delayed = Signal(row_operation(self._config), name=f"operation{n}")
            m.d.sync += delayed.eq(operation)
            operation = delayed
        m.d.comb += sums.operation.eq(operation)

    def _add_trimmer(self, m, head, modes, sequencer):
        """The mode of the next row follows its vector; returns that where the mode has it."""
        lanes = self._config.array.lanes
        m.submodules.trimmer = trimmer = mac.PlaneTrimmer(lanes=lanes, modes=modes)
        m.d.comb += [
            trimmer.i_mode.eq(sequencer.choice.mode),
            trimmer.i_signed.eq(sequencer.choice.signed),
            Cat(trimmer.i_activations, trimmer.i_planes.as_value()).eq(head),
            sequencer.trimmed.eq(trimmer.o_mode),
        ]
        return trimmer.o_activations

    def _connect_drain(self, m, sums, reader):
        wiring.connect(m, wiring.flipped(self.drain), reader.command)
        given = reader.items
        if self._config.distant_drain:
            m.submodules.items = items = StreamBuffer(drain_item(self._config))
            wiring.connect(m, given, items.i)
            given = items.o
        wiring.connect(m, given, wiring.flipped(self.items))
        m.d.comb += [
            sums.drain_en.eq(reader.read_en),
            sums.drain_bank.eq(reader.read_bank),
            sums.drain_row.eq(reader.read_row),
            sums.drain_take.eq(reader.take),
            reader.sums.eq(sums.drain_sums),
        ]

    def _add_gate(self, m, sequencer, sums, reader):
        """Everything that only a gated array has."""
        config = self._config
        m.submodules.gate = gate = Gate(config)
        m.submodules.packer = packer = TaskPacker(config)
        m.submodules.task_store = tasks = TaskStore(config)
        m.submodules.position_list = listed = PositionList(config)
        m.submodules.fired_counts = counts = FiredCounts(config)
        m.d.comb += [
            gate.early.eq(sums.early),
            gate.written.eq(sums.written),
            gate.totals.eq(sums.totals),
            *(part.gate.eq(gate.result) for part in (packer, listed, counts)),
            sums.judged.eq(gate.result),
            sums.dealt_en.eq(packer.dealt_en),
            sums.dealt_bank.eq(packer.dealt_bank),
            sums.dealt.eq(packer.dealt),
            tasks.dealt_en.eq(packer.dealt_en),
            tasks.dealt.eq(packer.dealt),
            tasks.pass_en.eq(sequencer.store_en),
            tasks.pass_row.eq(sequencer.store_row),
            tasks.drain_en.eq(reader.record_en),
            tasks.drain_row.eq(reader.read_row),
            sequencer.gate_done.eq(packer.done),
            sequencer.task_rows.eq(packer.task_rows),
            sequencer.store_record.eq(tasks.record),
            reader.task_rows.eq(packer.task_rows),
            reader.record.eq(tasks.record),
            reader.departed.eq(sums.drain_departed),
            listed.number.eq(reader.listed),
            reader.listed0.eq(listed.entry),
            reader.listed1.eq(listed.following),
            self.decided.eq(listed.decided),
            self.any.eq(listed.any),
            counts.address.eq(self.counts_address),
            self.counts.eq(counts.data),
            self.counts_valid.eq(counts.data_valid),
        ]
        fired = gate.result.fired
        m.d.sync += self.fired.eq(
            Mux(gate.result.some, sum(fired[n] for n in range(config.array.group)), 0)
        )
        return gate, packer
