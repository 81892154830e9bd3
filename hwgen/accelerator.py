"""The top: control, buffers, feeder, clusters and the vector unit; or control and array that take
turns."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .config import Config
from .rtl.activation_buffer import ActivationBuffer
from .rtl.axi import AXI4LiteSignature, AXI4Signature
from .rtl.cluster import PASSES_IN_FLIGHT, Cluster
from .rtl.commands import instruction_layout
from .rtl.control.control import Control
from .rtl.control.ports import REGISTER_ADDRESS_BITS
from .rtl.control.sequential.control import SequentialControl
from .rtl.drain.records import RecordSplitter
from .rtl.feeder import WeightFeeder
from .rtl.fork import Fork, StrobeJoin
from .rtl.local_reset import add_with_reset
from .rtl.sequential.array import SequentialArray
from .rtl.stage import Stage
from .rtl.vector_unit import VectorUnit

__all__ = ["Accelerator"]


class Accelerator(wiring.Component):
    """The accelerator of a configuration.

    Software writes a program, weights and activations into a memory behind ``m_axi``, sets
    registers behind ``s_axi``, starts, and is told by ``irq``. See docs/architecture.md,
    docs/registers.md and docs/instructions.md.

    Parameters
    ----------
    config : Config
        What to build.

    Members
    -------
    s_axi : In(AXI4-Lite)
        Registers.
    m_axi : Out(AXI4)
        Memory.
    irq : Out(1)
        High while an enabled interrupt is pending.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "s_axi": In(AXI4LiteSignature(address_width=REGISTER_ADDRESS_BITS)),
                "m_axi": Out(
                    AXI4Signature(
                        address_width=config.bus.address_width, data_width=config.bus.data_width
                    )
                ),
                "irq": Out(1),
            }
        )

    @property
    def config(self) -> Config:
        return self._config

    def elaborate(self, platform):
        m = Module()
        config = self._config
        if config.control.sequential:
            self._take_turns(m)
            return m
        m.submodules.control = control = Control(config)
        connect(m, flipped(self.s_axi), control.s_axi)
        connect(m, control.m_axi, flipped(self.m_axi))
        m.d.comb += self.irq.eq(control.irq)

        # A soft reset clears everything but the control, which answers for the bus.
        def add(name, component):
            add_with_reset(m, name, component, control.unit_reset)

        clusters = [Cluster(config) for _ in range(config.array.clusters)]
        for g, cluster in enumerate(clusters):
            # It is large, and resets its own blocks.
            m.submodules[f"cluster{g}"] = cluster
            m.d.comb += [cluster.index.eq(g), cluster.reset.eq(control.unit_reset)]
        feeder = WeightFeeder(config)
        add("feeder", feeder)
        self._connect_passes(m, control, feeder, clusters, add)
        self._connect_weights(m, control, feeder, clusters)
        records = self._connect_drains(m, control, clusters, add)
        moved = self._connect_activations(m, control, clusters, records, add)
        self._connect_observation(m, control, clusters, moved)
        return m

    def _take_turns(self, m):
        """Control and array of `control.sequential`."""
        m.submodules.control = control = SequentialControl(self._config)
        array = SequentialArray(self._config)
        m.submodules.array = ResetInserter(control.unit_reset)(array)
        connect(m, flipped(self.s_axi), control.s_axi)
        connect(m, control.m_axi, flipped(self.m_axi))
        connect(m, control.passes, array.passes)
        connect(m, control.drains, array.drains)
        m.d.comb += [
            self.irq.eq(control.irq),
            array.write_valid.eq(control.write_valid),
            array.write.eq(control.write),
            array.read_en.eq(control.read_en),
            array.read_address.eq(control.read_address),
            control.read_data.eq(array.read_data),
        ]

    def _connect_passes(self, m, control, feeder, clusters, add):
        """Every PASS goes to the feeder and all clusters."""
        fork = Fork(instruction_layout("PASS", self._config), ways=1 + len(clusters))
        join = StrobeJoin(ways=len(clusters), depth=PASSES_IN_FLIGHT)
        add("pass_fork", fork)
        add("pass_join", join)
        connect(m, control.passes, fork.i)
        # It comes from afar, as it does to a cluster, which has such a stage of its own.
        stage = Stage(instruction_layout("PASS", self._config))
        add("pass_stage", stage)
        connect(m, fork.o[0], stage.i)
        connect(m, stage.o, feeder.command)
        for g, cluster in enumerate(clusters):
            connect(m, fork.o[1 + g], cluster.passes)
            m.d.comb += join.i[g].eq(cluster.pass_done)
        m.d.comb += control.pass_done.eq(join.o)

    def _connect_weights(self, m, control, feeder, clusters):
        """Memory to the weight buffer; the feeder's broadcast to everybody."""
        connect(m, control.weight_writes, feeder.write)
        groups = self._config.groups
        for g, cluster in enumerate(clusters):
            m.d.comb += [
                cluster.weights.eq(feeder.weights),
                cluster.weights_valid.eq(feeder.weights_valid),
                cluster.chunk_loaded.eq(feeder.chunk_loaded),
                feeder.released[g * groups : (g + 1) * groups].eq(cluster.chunk_released),
            ]

    def _connect_drains(self, m, control, clusters, add):
        """Every DRAIN goes to all clusters, records likewise, path by path."""
        fork = Fork(instruction_layout("DRAIN", self._config), ways=len(clusters))
        join = StrobeJoin(ways=len(clusters), depth=1)
        add("drain_fork", fork)
        add("drain_join", join)
        records = RecordSplitter(self._config)
        add("records", records)
        connect(m, control.drains, fork.i)
        connect(m, control.record_writes, records.i)
        m.d.comb += control.drain_done.eq(join.o)
        for g, cluster in enumerate(clusters):
            connect(m, fork.o[g], cluster.drains)
            m.d.comb += [
                join.i[g].eq(cluster.drain_done),
                cluster.record_valid.eq(records.o_valid),
                cluster.record.eq(records.o),
            ]
        return records

    def _connect_activations(self, m, control, clusters, records, add):
        """Ports of the activation buffer: store, streamers, residuals, vector unit; load, drains,
        vector unit.
        """
        config = self._config
        lanes = config.drain.lanes
        pool = int(config.drain.pool)
        buffer = ActivationBuffer(
            config,
            readers=1 + len(clusters) * (1 + (lanes if config.drain.residual else 0)) + pool,
            writers=1 + len(clusters) * lanes + pool,
        )
        add("activations", buffer)
        reads, writes = iter(buffer.reads), iter(buffer.writes)

        def reader(request, data):
            port = next(reads)
            connect(m, request, port.request)
            connect(m, port.data, data)

        reader(control.activation_requests, control.activation_data)
        connect(m, control.activation_writes, next(writes))
        for cluster in clusters:
            reader(cluster.request, cluster.data)
            for n in range(lanes):
                if config.drain.residual:
                    reader(cluster.residual_requests[n], cluster.residuals[n])
                connect(m, cluster.writes[n], next(writes))
        if pool:
            vector = VectorUnit(config)
            add("vector", vector)
            connect(m, control.vectors, vector.command)
            reader(vector.request, vector.data)
            connect(m, vector.write, next(writes))
            m.d.comb += [
                control.vector_done.eq(vector.done),
                vector.record_valid.eq(records.o_valid),
                vector.record.eq(records.o),
            ]
        ports = [port.request for port in buffer.reads] + list(buffer.writes)
        return [port.valid & port.ready for port in ports]

    def _connect_observation(self, m, control, clusters, moved):
        """Performance counters, the gate's counts, and progress within long instructions."""
        for name in ("busy", "starved", "unloaded", "interlocked"):
            m.d.comb += getattr(control, name).eq(Cat(getattr(c, name) for c in clusters))
        # Ports lie far apart, and whether they move is known late.
        stirs = Signal(len(moved))
        m.d.sync += [stirs.eq(Cat(moved)), control.progress.eq(Cat(control.busy, stirs).any())]
        if not self._config.array.gated:
            return
        m.d.sync += control.fired.eq(sum(cluster.fired for cluster in clusters))
        index = control.count_index
        with m.Switch(index.cluster):
            for g, cluster in enumerate(clusters):
                m.d.comb += [
                    cluster.count_slot.eq(index.slot),
                    cluster.count_group.eq(index.group),
                ]
                with m.Case(g):
                    m.d.comb += control.count.eq(cluster.count)
