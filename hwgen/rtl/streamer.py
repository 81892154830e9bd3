"""The source of a chain: vectors of a cluster's positions, chunk after chunk."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

from amaranth import *
from amaranth.hdl import unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from ..config import Config
from .commands import cut_fields, instruction_layout, vector
from .control.ports import activation_address
from .geometry import Geometry
from .locator import Locator, located_vector
from .skid import Skid
from .task_index import task_list
from .task_reader import TaskReader
from .vector_fetch import VectorFetch
from .walker import PositionWalker, TapWalker, prepared_pass

__all__ = ["Streamer", "positions_of"]


def positions_of(command: Mapping[str, int], cluster: int, clusters: int) -> list[int]:
    """The positions of a PASS that belong to a cluster, in order; see the field ``diagonal``."""
    diagonal = command["diagonal"]
    return [
        position
        for position in range(command["positions"])
        if (position + (position // clusters >> (diagonal - 1) if diagonal else 0)) % clusters
        == cluster
    ]


class Streamer(wiring.Component):
    """Streams the vectors of a PASS, as far as they belong to the positions of one cluster.

    Chunks are walked plane by plane, the kernel column fastest; in each chunk the cluster's
    positions in raster order, or in a conditional pass those of the task index. A position whose
    tap lies outside of the input tile gives a vector of zeros and reads nothing. Bytes are ANDed
    with ``mask``. Every vector is wanted by all groups, in a conditional pass by those with tasks.

    A vector a cycle, within a chunk and from chunk to chunk, if the activation buffer gives a word
    a cycle; between commands at most two idle cycles. The next command is accepted and prepared
    meanwhile; a command that finds the streamer idle gives its first vector ``latency`` cycles
    later, or earlier if that is of zeros. A cluster without positions sends nothing.

    A gate pass restarts the task index. The conditional passes that follow must have the same
    positions, width, stride and in_columns: the index holds word offsets. Vectors of a conditional
    pass leave as their entries appear; its first chunk ends when the gate has ended. Any other pass
    waits until the index is complete.

    Numeric range: an output row or column times the stride is below 2048; what the address fields
    make goes around at the end of the activation buffer.

    Parameters
    ----------
    config : Config
        With ``array.gated`` false there is no ``tasks``, and ``want`` is constant.

    Members
    -------
    cluster : In
        Number of the cluster; a constant.
    command : In(stream(PASS))
        The instruction.
    request : Out(stream(activation_address)), data : In(stream(vector_bits))
        A read port of the activation buffer.
    tasks : Out(task_list)
        The task index.
    o : Out(stream(vector))
        Vectors, from registers.
    busy : Out(1)
        Vectors will follow, or the command gives none but is not finished yet.
    """

    def __init__(self, config: Config):
        self._config = config
        members = {
            "cluster": In(max(1, ceil_log2(config.array.clusters))),
            "command": In(stream.Signature(instruction_layout("PASS", config))),
            "request": Out(stream.Signature(activation_address(config))),
            "data": In(stream.Signature(unsigned(config.vector_bits))),
            "o": Out(stream.Signature(vector(config))),
            "busy": Out(1),
        }
        if config.array.gated:
            members["tasks"] = Out(task_list(config))
        super().__init__(members)

    @staticmethod
    def latency(cluster: int, read: int) -> int:
        """Cycles from a command to its first vector, when idle; a read of the activation buffer
        takes ``read``.
        """
        return Geometry.latency(cluster) + 2 + Locator.latency + read + VectorFetch.latency

    @staticmethod
    def model(
        config: Config,
        command: Mapping[str, int],
        cluster: int,
        words: Sequence[int],
        tasks: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, int]]:
        """The vectors of a PASS as (data, want); ``words`` is the activation buffer, and ``tasks``
        has for each position of the cluster which groups have tasks there (conditional passes).
        """
        mine = positions_of(command, cluster, config.array.clusters)
        mask = int.from_bytes([command["mask"]] * config.array.lanes, "little")
        align = command.get("align", 0)
        kept = int.from_bytes([255 >> align] * config.array.lanes, "little")
        chunks = itertools.product(
            *(range(command[n]) for n in ("planes", "kernel_rows", "kernel_columns"))
        )
        for (plane, ky, kx), (number, position) in itertools.product(chunks, enumerate(mine)):
            want = tasks[number] if command["conditional"] else (1 << config.groups) - 1
            row, column = divmod(position, command["width"])
            top, x = row * command["stride"], column * command["stride"] + kx - command["pad_left"]
            first = top - top % command["in_rows"] if command["images"] else 0
            y = top + ky - command["pad_top"]
            inside = 0 <= y - first < command["in_rows"] and 0 <= x < command["in_columns"]
            address = command["input"] + plane * command["input_plane_stride"]
            address += y * command["in_columns"] + x
            if want:
                word = words[address % len(words)] & mask if inside else 0
                # Bytes do not reach into one another.
                yield (word & kept) << align, want

    def elaborate(self, platform):
        m = Module()
        m.submodules.geometry = geometry = Geometry(self._config)
        m.submodules.locator = locator = Locator(self._config)
        m.submodules.fetch = fetch = VectorFetch(self._config)
        connect(m, flipped(self.command), geometry.command)
        # What the buffer says of a request must not lead through the locator to all walkers.
        m.submodules.skid = skid = Skid(located_vector(self._config))
        connect(m, locator.o, skid.i)
        connect(m, skid.o, fetch.i)
        connect(m, fetch.request, flipped(self.request))
        connect(m, flipped(self.data), fetch.data)
        connect(m, fetch.o, flipped(self.o))
        m.d.comb += geometry.cluster.eq(self.cluster)

        # The pass being walked. The next takes its place when the locator needs it no longer.
        job = Signal(prepared_pass(self._config), reset_less=True)
        begin, running = Signal(), Signal()
        ends = Signal()
        settled = 1
        if self._config.array.gated:
            settled = self.tasks.complete | geometry.o.payload.conditional
        m.d.comb += geometry.o.ready.eq(~begin & ~running & locator.i.ready & settled)
        m.d.sync += begin.eq(0)
        with m.If(geometry.o.valid & geometry.o.ready):
            m.d.sync += [job.eq(geometry.o.payload), begin.eq(geometry.o.payload.positions != 0)]
        with m.If(begin):
            m.d.sync += running.eq(1)
        with m.Elif(ends):
            m.d.sync += running.eq(0)
        m.d.comb += self.busy.eq(
            ~geometry.command.ready | begin | running | locator.busy | skid.waiting | fetch.busy
        )
        self._connect_walkers(m, job, begin, running, ends, locator)
        return m

    def _connect_walkers(self, m, job, begin, running, ends, locator):
        m.submodules.positions = positions = PositionWalker(self._config)
        m.submodules.taps = taps = TapWalker(self._config)
        left = Signal.like(job.positions)
        moves, last = Signal(), Signal()
        # Taps step without a look at ``running``, which is far from them: where it is low, either
        # nothing steps, or a single entry that was one too many, before the next pass begins.
        steps = Signal()
        final = Signal()  # running & (left == 1), set with them
        m.d.comb += [
            positions.walk.eq(job.walk),
            positions.start.eq(begin | (moves & last)),
            positions.step.eq(moves),
            taps.job.eq(job),
            taps.start.eq(begin),
            taps.step.eq(steps & last),
            ends.eq(moves & last & taps.last),
            locator.tap_x.eq(taps.x),
            locator.tap_y.eq(taps.y),
            locator.tap_address.eq(taps.address),
            locator.rows.eq(job.in_rows),
            locator.columns.eq(job.in_columns),
            *(getattr(locator, name).eq(job[name]) for name in cut_fields(self._config)),
        ]
        with m.If(positions.start):
            m.d.sync += [left.eq(job.positions), final.eq((job.positions == 1) & ~ends)]
        with m.Elif(moves):
            m.d.sync += [left.eq(left - 1), final.eq(left == 2)]

        m.d.comb += [
            locator.i.payload.place.eq(positions.place),
            locator.i.payload.want.eq(-1),
            locator.i.valid.eq(running),
            moves.eq(running & steps),
            steps.eq(locator.i.ready),
            last.eq(final),
        ]
        if self._config.array.gated:
            m.submodules.reader = reader = TaskReader(self._config)
            for name, member in reader.list.signature.members.items():
                here, there = self.tasks.__dict__[name], reader.list.__dict__[name]
                m.d.comb += here.eq(there) if member.flow is Out else there.eq(here)
            step = reader.o.payload
            m.d.comb += [
                self.tasks.restart.eq(begin & job.gate),
                self.tasks.walk.eq(job.walk),
                self.tasks.positions.eq(job.positions),
                reader.enable.eq(running & job.conditional),
            ]
            with m.If(job.conditional):
                m.d.comb += [
                    locator.i.payload.eq(step.entry),
                    locator.i.valid.eq(running & reader.o.valid & step.some),
                    reader.o.ready.eq(running & (locator.i.ready | ~step.some)),
                    steps.eq(reader.o.valid & (locator.i.ready | ~step.some)),
                    last.eq(step.last),
                ]
