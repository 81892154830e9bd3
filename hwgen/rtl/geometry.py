"""What a streamer has to know of a PASS before it can walk it."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..config import Config
from .commands import cut_fields, instruction_layout
from .walker import COORDINATE_BITS, prepared_pass

__all__ = ["Geometry"]

STRIDE_BITS = 3
PAD_BITS = 6
STEP_BITS = 5
"""``step_rows`` and ``step_columns`` are at most the number of clusters."""


class Geometry(wiring.Component):
    """Multiplies out the steps of a PASS for one cluster, with adders, while the PASS before is
    streamed.

    One pass at a time; ready for the next when the result has been taken. The result follows its
    command by ``latency`` cycles.

    Parameters
    ----------
    config : Config

    Members
    -------
    cluster : In
        Number of the cluster; a constant.
    command : In(stream(PASS))
        The instruction.
    o : Out(stream(prepared_pass))
        What the walkers need.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "cluster": In(max(1, ceil_log2(config.array.clusters))),
                "command": In(stream.Signature(instruction_layout("PASS", config))),
                "o": Out(stream.Signature(prepared_pass(config))),
            }
        )

    @staticmethod
    def latency(cluster: int) -> int:
        """Cycles from the command to the result."""
        return 2 + STRIDE_BITS + max(STEP_BITS, cluster)

    def elaborate(self, platform):
        m = Module()
        command = Signal(self._stored(), reset_less=True)
        busy = Signal()
        cycle = Signal(range(STRIDE_BITS + STEP_BITS + 1), reset_less=True)
        m.d.comb += self.command.ready.eq(~busy)
        with m.If(~busy):
            m.d.sync += [
                *(command[name].eq(self.command.payload[name]) for name in command.shape().members),
                busy.eq(self.command.valid),
                cycle.eq(0),
            ]
        with m.Elif(~self.o.valid):
            with m.If(cycle != STRIDE_BITS + STEP_BITS):
                m.d.sync += cycle.eq(cycle + 1)
        with m.Elif(self.o.ready):
            m.d.sync += [self.o.valid.eq(0), busy.eq(0)]

        width, row_words = self._multiply(m, command, busy, cycle)
        self._find_first(m, command, busy, cycle, width, row_words)
        self._copy(m, command)
        return m

    def _stored(self) -> data.StructLayout:
        """The fields that are needed here: all but those of the groups and of the feeder."""
        others = {
            "first",
            "thresholds",
            "bank",
            "signed",
            "clear_counts",
            "slots",
            "weights",
            "chunks",
            "mode",
            "sum_shift",
        }
        if not self._config.array.gated:
            others |= {"gate", "conditional"}
        members = instruction_layout("PASS", self._config).members
        return data.StructLayout(
            {name: shape for name, shape in members.items() if name not in others}
        )

    def _multiply(self, m, command, busy, cycle):
        """Horner's scheme, a bit of the multiplier a cycle: by the stride, then by step_rows; by
        the padding meanwhile.
        """
        walk, o = self.o.payload.walk, self.o.payload
        address = o.tap_address.shape()
        last = STRIDE_BITS + STEP_BITS
        width, row_words, step_words, pad_words = (
            Signal(shape, name=name, reset_less=True)
            for name, shape in (
                ("width", COORDINATE_BITS),
                ("row_words", address),
                ("step_words", address),
                ("pad_words", address),
            )
        )

        def horner(total, bit, value):
            return total.eq((total << 1) + Mux(bit, value, 0))

        by_stride = (
            (walk.step_x, command.step_columns),
            (walk.step_y, command.step_rows),
            (width, command.width),
            (row_words, command.in_columns),
        )
        # Multipliers rotate once around, so that they are whole again in the end.
        step_rows = command.step_rows
        with m.If(~busy):
            m.d.sync += [total.eq(0) for total, _ in by_stride]
            m.d.sync += [step_words.eq(0), pad_words.eq(0)]
        with m.Elif(cycle < STRIDE_BITS):
            m.d.sync += [horner(total, command.stride[-1], value) for total, value in by_stride]
            m.d.sync += command.stride.eq(command.stride.rotate_left(1))
        with m.Elif((cycle >= last - len(step_rows)) & (cycle < last)):
            m.d.sync += horner(step_words, step_rows[-1], row_words)
            m.d.sync += step_rows.eq(step_rows.rotate_left(1))

        # pad_words becomes -pad_top * in_columns. The sign bit of a number counts negatively.
        pad_top = Value.cast(command.pad_top)
        with m.If(busy & (cycle < PAD_BITS)):
            m.d.sync += pad_top.eq(pad_top.rotate_left(1))
            with m.If(cycle == 0):
                m.d.sync += horner(pad_words, pad_top[-1], command.in_columns)
            with m.Else():
                m.d.sync += horner(pad_words, pad_top[-1], -command.in_columns)

        # Without images y stays below 2**COORDINATE_BITS, and to subtract is to add.
        image = Mux(command.images, command.in_rows, 0)
        m.d.sync += [
            walk.carry_y.eq(walk.step_y + command.stride),
            walk.last_y.eq(image - walk.step_y),
            walk.carry_last_y.eq(image - walk.step_y - command.stride),
            walk.limit.eq(width - walk.step_x),
            walk.step_offset.eq(step_words + walk.step_x),
            walk.carry_offset.eq(step_words + row_words - walk.limit),
            o.tap_address.eq(command.input + pad_words - command.pad_left),
        ]
        return width, row_words

    def _find_first(self, m, command, busy, cycle, width, row_words):
        """Position number ``cluster``, by as many steps from position 0; then the result is
        complete.
        """
        first = self.o.payload.walk.first
        ends = (cycle == STRIDE_BITS + STEP_BITS) & ~self.o.valid
        if self._config.array.clusters == 1:
            with m.If(busy & ends):
                m.d.sync += self.o.valid.eq(1)
            return
        row_offset = Signal.like(row_words, reset_less=True)
        walked = Signal.like(self.cluster, reset_less=True)
        next_x = Signal(COORDINATE_BITS)
        m.d.comb += [
            next_x.eq(first.x + command.stride),
            first.offset.eq(row_offset + first.x),
        ]
        with m.If(~busy):
            m.d.sync += [first.x.eq(0), first.y.eq(0), row_offset.eq(0), walked.eq(0)]
        with m.Elif((cycle >= STRIDE_BITS) & (walked != self.cluster)):
            m.d.sync += walked.eq(walked + 1)
            with m.If(next_x == width):
                m.d.sync += [
                    first.x.eq(0),
                    first.y.eq(first.y + command.stride),
                    row_offset.eq(row_offset + row_words),
                ]
            with m.Else():
                m.d.sync += first.x.eq(next_x)
        with m.Elif(ends):
            m.d.sync += self.o.valid.eq(1)

    def _copy(self, m, command):
        """What needs no preparation, or hardly any."""
        o = self.o.payload
        clusters = self._config.array.clusters
        same = [
            *cut_fields(self._config),
            "in_rows",
            "in_columns",
            "planes",
            "kernel_rows",
            "kernel_columns",
        ]
        if self._config.array.gated:
            same += ["gate", "conditional"]
        m.d.comb += [o[name].eq(command[name]) for name in same]
        m.d.comb += [
            # Positions p with p mod G == cluster.
            o.positions.eq(
                (command.positions + (clusters - 1 - self.cluster)) >> ceil_log2(clusters)
            ),
            o.walk.stride.eq(command.stride),
            o.walk.diagonal.eq(command.diagonal != 0),
            o.walk.period.eq(((1 << command.diagonal) - 1) >> 1),
            o.walk.column.eq(self.cluster),
            o.plane_stride.eq(command.input_plane_stride),
            o.tap_x.eq(-command.pad_left),
            o.tap_y.eq(-command.pad_top),
        ]
