"""The drain of a cluster: commands to its groups, lanes for their sums."""

from amaranth import *
from amaranth.hdl import unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from ... import arithmetic
from ...config import Config
from ..commands import drain_command, drain_item, instruction_layout
from .lane import DrainLane, byte_write
from .records import path_write

__all__ = ["Drain"]


class Drain(wiring.Component):
    """Runs DRAIN instructions on the groups of a cluster, one at a time.

    The groups are shared among ``config.drain.lanes`` lanes as equally as their number allows.

    Members
    -------
    cluster : In
        Number of the cluster; a constant.
    command : In(stream(DRAIN))
        Accepted when idle.
    done : Out(1)
        Strobe: all bytes of the instruction are written.
    group_commands : Array of Out(stream(drain_command))
        To the groups.
    items : Array of In(stream(drain_item))
        From the groups.
    requests, residuals, writes : Array of stream
        Ports of the activation buffer, one of each a lane; the first two with ``drain.residual``.
    record_valid, record : In
        From the load unit.
    """

    def __init__(self, config: Config):
        self._config = config
        lanes = config.drain.lanes
        words = ceil_log2(config.array.clusters * config.memory.activation_words)
        readers = {
            "requests": Out(stream.Signature(unsigned(words))).array(lanes),
            "residuals": In(stream.Signature(unsigned(8 * config.array.lanes))).array(lanes),
        }
        super().__init__(
            {
                "cluster": In(max(1, ceil_log2(config.array.clusters))),
                "command": In(stream.Signature(instruction_layout("DRAIN", config))),
                "done": Out(1),
                "group_commands": Out(stream.Signature(drain_command(config))).array(config.groups),
                "items": In(stream.Signature(drain_item(config))).array(config.groups),
                **(readers if config.drain.residual else {}),
                "writes": Out(stream.Signature(byte_write(config))).array(lanes),
                "record_valid": In(1),
                "record": In(path_write(config)),
            }
        )

    def position(self, command: dict, cluster: int, number: int) -> int:
        """The raster number of a cluster's position."""
        clusters = self._config.array.clusters
        diagonal = command.get("diagonal", 0)
        turns = number >> (diagonal - 1) if diagonal else 0
        return number * clusters + (cluster - turns) % clusters

    def model(self, command: dict, cluster: int, items: list[list[dict]], records, activations):
        """The bytes that an instruction writes: ``{(word, byte): value}``.

        ``items`` are those of each group; ``records`` holds the record of each number (a dict),
        ``activations`` the bytes of each word before the instruction.
        """
        config, c = self._config, command
        size = config.array.clusters * config.memory.activation_words
        lanes = config.array.lanes
        written = {}
        for j, group in enumerate(items):
            for item in group:
                number = j * config.array.group * c["slots"] + item["slot"]
                if not item["some"] or number >= c["channels"]:
                    continue
                record = records[c["parameters"] + number]
                plane, byte = divmod(record["channel"], lanes)
                position = self.position(c, cluster, item["position"])
                offset = plane * c["output_plane_stride"] + position
                residual = 0
                if c.get("residual"):
                    residual = int(activations[(c["residual_input"] + offset) % size][byte])
                    if c["residual_signed"] and residual > 127:
                        residual -= 256
                path = "" if item["full"] else "base_"
                y = arithmetic.requantize(
                    item["sum"],
                    record[path + "multiplier"],
                    record[path + "bias"],
                    record[path + "shift"],
                    c["low"],
                    c["high"],
                    residual=residual,
                    residual_multiplier=record[path + "residual_multiplier"],
                )
                written[(c["output"] + offset) % size, byte] = int(y) & 0xFF
        return written

    def elaborate(self, platform):
        m = Module()
        config = self._config
        lanes = config.drain.lanes
        # Groups of lane n: share[n] to share[n + 1] - 1.
        share = [n * config.groups // lanes for n in range(lanes + 1)]

        command = Signal(instruction_layout("DRAIN", config), reset_less=True)
        busy = Signal()
        start = Signal()
        m.d.comb += self.command.ready.eq(~busy)
        with m.If(self.command.valid & ~busy):
            m.d.sync += [command.eq(self.command.payload), busy.eq(1), start.eq(1)]
        with m.Else():
            m.d.sync += start.eq(0)

        # Positions p with p mod G == cluster: ceil((positions - cluster) / G) of them.
        clusters = config.array.clusters
        positions = Signal.like(command.positions)
        m.d.sync += positions.eq(
            (command.positions + (clusters - 1 - self.cluster)) >> ceil_log2(clusters)
        )
        for n, group in enumerate(self.group_commands):
            asked = Signal(name=f"asked_{n}")
            m.d.comb += [
                group.valid.eq(asked),
                group.payload.bank.eq(command.bank),
                group.payload.source.eq(command.source),
                group.payload.slots.eq(command.slots),
                group.payload.positions.eq(positions),
            ]
            with m.If(start):
                m.d.sync += asked.eq(1)
            with m.Elif(group.ready):
                m.d.sync += asked.eq(0)

        record_valid, record = self.record_valid, self.record
        if config.array.deep_pipeline:  # they come from far away
            record_valid, record = Signal(), Signal(path_write(config), reset_less=True)
            m.d.sync += [record_valid.eq(self.record_valid), record.eq(self.record)]

        open_lanes = Signal(lanes)
        for n in range(lanes):
            groups = range(share[n], share[n + 1])
            lane = DrainLane(config, groups=len(groups))
            m.submodules[f"lane{n}"] = lane
            m.d.comb += [
                lane.start.eq(start),
                lane.command.eq(command),
                lane.cluster.eq(self.cluster),
                lane.group.eq(groups.start),
                lane.record_valid.eq(record_valid),
                lane.record.eq(record),
            ]
            for k, group in enumerate(groups):
                connect(m, flipped(self.items[group]), lane.items[k])
            if config.drain.residual:
                connect(m, lane.request, flipped(self.requests[n]))
                connect(m, flipped(self.residuals[n]), lane.residual)
            connect(m, lane.write, flipped(self.writes[n]))
            with m.If(start):
                m.d.sync += open_lanes[n].eq(1)
            with m.Elif(lane.done):
                m.d.sync += open_lanes[n].eq(0)
        m.d.comb += self.done.eq(busy & ~start & (open_lanes == 0))
        with m.If(self.done):
            m.d.sync += busy.eq(0)
        return m
