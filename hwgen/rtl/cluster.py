"""A cluster: a streamer, a chain of groups, their task index and their drain."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for, ceil_log2

from ..config import Config
from .commands import instruction_layout, slot_shape, weight_broadcast
from .control.ports import activation_address, activation_write
from .drain import Drain
from .drain.records import path_write
from .fork import Fork, StrobeJoin
from .group import Group
from .local_reset import add_with_reset
from .stage import Stage
from .streamer import Streamer
from .task_index import TaskIndex

__all__ = ["Cluster"]

PASSES_IN_FLIGHT = 4


class Cluster(wiring.Component):
    """Computes the positions p of each tile with p mod G == ``index``.

    Members
    -------
    index : In
        Number of the cluster; constant.
    reset : In(1)
        Everything begins anew, a cycle later.
    passes : In(stream of PASS)
        Given to the streamer and all groups, each in its own time; at most four may be under way.
    pass_done : Out(1)
        Strobe, once a pass, in order: all its sums and tasks are written.
    drains : In(stream of DRAIN), drain_done : Out(1)
        See :class:`~hwgen.rtl.drain.Drain`.
    weights, weights_valid, chunk_loaded : In
        Broadcast of the weight feeder.
    chunk_released : Out(groups)
        Strobes of the groups.
    request, data : streams
        Read port of the activation buffer, for the streamer.
    residual_requests, residuals, writes : arrays of streams
        Ports of the activation buffer, one of each a drain lane; the first two with
        ``drain.residual``.
    record_valid, record : In
        Parameter records from the load unit.
    count_slot, count_group, counts : In, In, Out
        Fired outputs of a slot of a group; only in a gated array.
    fired : Out
        Outputs of all groups that have fired in a cycle, two cycles later; only in a gated array.
    busy, starved, unloaded, interlocked : Out(groups)
        What each group does.
    """

    def __init__(self, config: Config):
        self._config = config
        lanes = config.drain.lanes
        word = stream.Signature(config.vector_bits)
        address = stream.Signature(activation_address(config))
        members = {
            "index": In(max(1, ceil_log2(config.array.clusters))),
            "reset": In(1),
            "passes": In(stream.Signature(instruction_layout("PASS", config))),
            "pass_done": Out(1),
            "drains": In(stream.Signature(instruction_layout("DRAIN", config))),
            "drain_done": Out(1),
            "weights": In(weight_broadcast(config)),
            "weights_valid": In(1),
            "chunk_loaded": In(1),
            "chunk_released": Out(config.groups),
            "request": Out(address),
            "data": In(word),
            "writes": Out(stream.Signature(activation_write(config))).array(lanes),
            "record_valid": In(1),
            "record": In(path_write(config)),
            "busy": Out(config.groups),
            "starved": Out(config.groups),
            "unloaded": Out(config.groups),
            "interlocked": Out(config.groups),
        }
        if config.drain.residual:
            members |= {
                "residual_requests": Out(address).array(lanes),
                "residuals": In(word).array(lanes),
            }
        if config.array.gated:
            members |= {
                "count_slot": In(slot_shape(config)),
                "count_group": In(max(1, ceil_log2(config.groups))),
                "count": Out(32),
                "fired": Out(bits_for(config.groups * config.array.group)),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        config = self._config
        streamer, drain = Streamer(config), Drain(config)
        self._add(m, "streamer", streamer)
        self._add(m, "drain", drain)
        groups = []
        for j in range(config.groups):
            groups.append(Group(config))
            self._add(m, f"group{j}", groups[-1])
        self._connect_passes(m, streamer, groups)
        self._connect_chain(m, streamer, groups)
        self._connect_drain(m, drain, groups)
        if config.array.gated:
            self._connect_gate(m, streamer, groups)
        for j, group in enumerate(groups):
            part = self.weights.data.word_select(j, config.weight_part_bits)
            m.d.comb += [
                group.index.eq(j),
                group.weights.data.eq(part),
                *(group.weights[n].eq(self.weights[n]) for n in ("index", "bank", "thresholds")),
                group.weights_valid.eq(self.weights_valid),
                group.chunk_loaded.eq(self.chunk_loaded),
                self.chunk_released[j].eq(group.chunk_released),
                self.busy[j].eq(group.busy),
                self.starved[j].eq(group.starved),
                self.unloaded[j].eq(group.unloaded),
                self.interlocked[j].eq(group.interlocked),
            ]
        return m

    def _add(self, m, name, component):
        add_with_reset(m, name, component, self.reset)

    def _connect_passes(self, m, streamer, groups):
        """A pass goes to the streamer and to all groups; it is done when all groups are."""
        config = self._config
        instruction = instruction_layout("PASS", config)
        job = data.StructLayout({"command": instruction, "positions": bits_for(config.array.rows)})
        stage = Stage(job)
        fork = Fork(job, ways=1 + len(groups))
        join = StrobeJoin(ways=len(groups), depth=PASSES_IN_FLIGHT)
        self._add(m, "stage", stage)
        self._add(m, "fork", fork)
        self._add(m, "join", join)
        connect(m, stage.o, fork.i)
        given = self.passes.payload
        clusters = config.array.clusters
        # Positions p with p mod G == index: ceil((positions - index) / G) of them.
        positions = (given.positions + (clusters - 1) - self.index) >> ceil_log2(clusters)
        m.d.comb += [
            stage.i.valid.eq(self.passes.valid),
            self.passes.ready.eq(stage.i.ready),
            stage.i.payload.command.eq(given),
            stage.i.payload.positions.eq(positions),
        ]
        way, command = fork.o[0], streamer.command
        m.d.comb += [
            command.valid.eq(way.valid),
            way.ready.eq(command.ready),
            command.payload.eq(way.payload.command),
        ]
        for j, group in enumerate(groups):
            way, command = fork.o[1 + j], group.command
            m.d.comb += [
                command.valid.eq(way.valid),
                way.ready.eq(command.ready),
                join.i[j].eq(group.done),
                command.payload.positions.eq(way.payload.positions),
            ]
            for field in command.payload.shape().members:
                if field != "positions":
                    m.d.comb += command.payload[field].eq(way.payload.command[field])
        m.d.comb += self.pass_done.eq(join.o)

    def _connect_chain(self, m, streamer, groups):
        """Streamer, group after group; what leaves the last one is dropped."""
        m.d.comb += streamer.cluster.eq(self.index)
        connect(m, streamer.request, flipped(self.request))
        connect(m, flipped(self.data), streamer.data)
        source = streamer.o
        for group in groups:
            connect(m, source, group.i)
            source = group.o
        m.d.comb += source.ready.eq(1)

    def _connect_drain(self, m, drain, groups):
        """Sums of all groups to the activation buffer."""
        connect(m, flipped(self.drains), drain.command)
        m.d.comb += [
            drain.cluster.eq(self.index),
            drain.record_valid.eq(self.record_valid),
            drain.record.eq(self.record),
            self.drain_done.eq(drain.done),
        ]
        for j, group in enumerate(groups):
            connect(m, drain.group_commands[j], group.drain)
            connect(m, group.items, drain.items[j])
        for n in range(self._config.drain.lanes):
            if self._config.drain.residual:
                connect(m, drain.requests[n], flipped(self.residual_requests[n]))
                connect(m, flipped(self.residuals[n]), drain.residuals[n])
            connect(m, drain.writes[n], flipped(self.writes[n]))

    def _connect_gate(self, m, streamer, groups):
        """Decisions to the task index, and what software reads of them."""
        index = TaskIndex(self._config)
        self._add(m, "task_index", index)
        connect(m, streamer.tasks, index.list)
        m.d.comb += [
            index.decided.eq(Cat(group.decided for group in groups)),
            index.any.eq(Cat(group.any for group in groups)),
        ]
        m.d.sync += self.fired.eq(sum(group.fired for group in groups))
        engine_bits = ceil_log2(self._config.array.group)
        with m.Switch(self.count_group):
            for j, group in enumerate(groups):
                m.d.comb += group.counts_address.eq(self.count_slot >> engine_bits)
                with m.Case(j):
                    with m.If(group.counts_valid):
                        m.d.sync += self.count.eq(
                            group.counts[self.count_slot[:engine_bits] if engine_bits else 0]
                        )
