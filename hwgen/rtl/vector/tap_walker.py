"""Which words a VECTOR instruction reads, in which order."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...config import Config
from ..commands import instruction_layout
from ..mac import facts

__all__ = ["ADDITION", "MAXIMUM", "PACK", "SUM", "TapWalker", "tap_layout"]

MAXIMUM, SUM, ADDITION, PACK = range(4)

COORDINATE_BITS = 14
"""Of a coordinate, modulo: from -7, the widest padding, to 1022 * 7 + 126, the last tap of a
row."""

# What happens in a cycle: the start, or the next round of a loop, and those within it begin again.
_MOVES = data.StructLayout(
    {"begin": 1, "tap": 1, "line": 1, "window": 1, "band": 1, "plane": 1},
)


def tap_layout(config: Config) -> data.StructLayout:
    """A tap: its word, which is read if it is ``inside``; whether it is the ``first`` or the
    ``last`` of its window; whether it belongs to the ``second`` operand."""
    words = ceil_log2(config.array.clusters * config.memory.activation_words)
    return data.StructLayout({"address": words, "inside": 1, "first": 1, "last": 1, "second": 1})


class TapWalker(wiring.Component):
    """Walks planes, output rows, output columns, kernel rows and kernel columns, the last
    fastest.

    After ``setup`` cycles one tap a cycle while ``open``, inside of the input or not, ``latency``
    cycles after the step. In an addition a tap of the second operand follows each window; it is
    the last. Lines of a window that is packed are the same position of plane after plane. Addresses
    come from additions only: the three products they need are made during the
    set-up, a bit a cycle.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    start : In(1)
        Begin with ``command``, which stays stable until all is done.
    command : In(VECTOR)
        The instruction.
    open : In(1)
        A step may be taken.
    stepped, window_ended, ended : Out(1)
        Strobes: a step was taken, and it was the last one of a window, of the instruction.
    tap_valid, tap : Out
        The taps.
    """

    setup = 10  # bits of in_rows, the longest factor
    latency = 2

    def __init__(self, config: Config):
        self._layout = tap_layout(config)
        self._packs = facts(config).packs
        super().__init__(
            {
                "start": In(1),
                "command": In(instruction_layout("VECTOR", config)),
                "open": In(1),
                "stepped": Out(1),
                "window_ended": Out(1),
                "ended": Out(1),
                "tap_valid": Out(1),
                "tap": Out(self._layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        begin, walking = Signal(), Signal()
        origin, band_step, plane_step = self._prepare(m, begin)

        m.d.comb += self.stepped.eq(walking & self.open)
        with m.If(begin):
            m.d.sync += walking.eq(1)
        with m.Elif(self.ended):
            m.d.sync += walking.eq(0)
        valid, made, known = self._count(m, begin)
        self._walk(m, valid, made, known, origin, band_step, plane_step)
        return m

    def _prepare(self, m, begin):
        """Word of the input's first tap; words from band to band of windows, and from plane to
        plane.

        Addresses wrap as the buffer does, so the words of negative coordinates have one too.
        """
        command = self.command
        left = Signal(range(self.setup + 1))
        columns = Signal.like(self.tap.address)  # in_columns << cycle
        rows, stride, pad = Signal(10), Signal(3), Signal(3)  # >> cycle
        origin, band_step, plane_step = (
            Signal.like(columns, name=name) for name in ("origin", "band_step", "plane_step")
        )
        with m.If(self.start):
            m.d.sync += [
                left.eq(self.setup),
                columns.eq(command.in_columns),
                rows.eq(command.in_rows),
                stride.eq(command.stride),
                pad.eq(command.pad_top),
                origin.eq(command.input - command.pad_left),
                band_step.eq(0),
                plane_step.eq(0),
            ]
            if self._packs:
                # Bands follow one another, and each plane of the result has several of the input.
                with m.If(command.operation == PACK):
                    m.d.sync += [
                        columns.eq(command.second),
                        rows.eq(command.kernel_rows),
                        stride.eq(0),
                        band_step.eq(command.in_columns),
                    ]
        with m.Elif(left != 0):
            m.d.sync += [
                left.eq(left - 1),
                columns.eq(columns << 1),
                rows.eq(rows >> 1),
                stride.eq(stride >> 1),
                pad.eq(pad >> 1),
                origin.eq(origin - Mux(pad[0], columns, 0)),
                band_step.eq(band_step + Mux(stride[0], columns, 0)),
                plane_step.eq(plane_step + Mux(rows[0], columns, 0)),
            ]
        m.d.sync += begin.eq(left == 1)
        return origin, band_step, plane_step

    def _loop(self, m, name, rounds, *, begin, step):
        """A counter of ``rounds``, which begins again by itself; its value is whether this is the
        last round.
        """
        left = Signal.like(rounds, name=f"{name}_left")
        last = Signal(name=f"{name}_last")
        with m.If(begin | (step & last)):
            m.d.sync += [left.eq(rounds), last.eq(rounds == 1)]
        with m.Elif(step):
            m.d.sync += [left.eq(left - 1), last.eq(left == 2)]
        return last

    def _count(self, m, begin):
        """The loops, innermost first. Gives what each step does, a cycle later."""
        command, step, ends = self.command, self.stepped, self.window_ended
        addition = Signal()
        m.d.sync += addition.eq(command.operation == ADDITION)  # known long before the first step
        second, complete, first = Signal(), Signal(), Signal()
        moves = Signal(_MOVES)

        def loop(name, rounds, step):
            return self._loop(m, name, rounds, begin=begin, step=step)

        last_tap = loop("taps", command.kernel_columns, step & ~second)
        last_line = loop("lines", command.kernel_rows, step & ~second & last_tap)
        last_window = loop("windows", command.out_columns, ends)
        last_band = loop("bands", command.out_rows, ends & last_window)
        last_plane = loop("planes", command.planes, ends & last_window & last_band)
        with m.If(step):
            m.d.sync += second.eq(addition & ~second & last_tap & last_line)
        with m.If(begin | ends):
            m.d.sync += first.eq(1)
        with m.Elif(step):
            m.d.sync += first.eq(0)
        m.d.comb += [
            complete.eq(Mux(addition, second, last_tap & last_line)),
            ends.eq(step & complete),
            self.ended.eq(ends & last_window & last_band & last_plane),
            moves.begin.eq(begin),
            moves.tap.eq(step & ~second & ~last_tap),
            moves.line.eq(step & ~second & last_tap & ~last_line),
            moves.window.eq(ends & ~last_window),
            moves.band.eq(ends & last_window & ~last_band),
            moves.plane.eq(ends & last_window & last_band & ~last_plane),
        ]
        known, made = Signal(self._layout), Signal(_MOVES)
        valid = Signal()
        m.d.sync += [
            valid.eq(step),
            made.eq(moves),
            known.first.eq(first),
            known.last.eq(complete),
            known.second.eq(second),
        ]
        return valid, made, known

    def _walk(self, m, valid, made, known, origin, band_step, plane_step):
        """The word and the coordinates of a tap; each loop remembers where its round began."""
        command = self.command
        tap, line, window, band, plane, other = (
            Signal.like(self.tap.address, name=name)
            for name in ("tap_at", "line_at", "window_at", "band_at", "plane_at", "second_at")
        )

        def go(address, starts):
            m.d.sync += [start.eq(address) for start in starts]

        with m.If(made.begin):
            go(origin, (tap, line, window, band, plane))
        with m.If(made.tap):
            go(tap + 1, (tap,))
        line_step, everywhere = command.in_columns, Const(0)
        if self._packs:
            everywhere = command.operation == PACK
            line_step = Mux(everywhere, command.second, command.in_columns)
        with m.If(made.line):
            go(line + line_step, (tap, line))
        with m.If(made.window):
            go(window + command.stride, (tap, line, window))
        with m.If(made.band):
            go(band + band_step, (tap, line, window, band))
        with m.If(made.plane):
            go(plane + plane_step, (tap, line, window, band, plane))
        with m.If(made.begin):
            go(command.second, (other,))
        with m.Elif(valid & known.second):
            go(other + 1, (other,))

        x, x_window, y, y_band = (
            Signal(COORDINATE_BITS, name=name) for name in ("x", "x_window", "y", "y_band")
        )
        with m.If(made.begin | made.band | made.plane):
            go(-command.pad_left, (x, x_window))
        with m.If(made.window):
            go(x_window + command.stride, (x, x_window))
        with m.If(made.line):
            go(x_window, (x,))
        with m.If(made.tap):
            go(x + 1, (x,))
        with m.If(made.begin | made.plane):
            go(-command.pad_top, (y, y_band))
        with m.If(made.band):
            go(y_band + command.stride, (y, y_band))
        with m.If(made.window):
            go(y_band, (y,))
        with m.If(made.line):
            go(y + 1, (y,))

        # A negative coordinate is a large one.
        inside = (x < command.in_columns) & (y < command.in_rows)
        m.d.sync += [
            self.tap_valid.eq(valid),
            self.tap.eq(known),
            self.tap.address.eq(Mux(known.second, other, tap)),
            self.tap.inside.eq(known.second | inside | everywhere),
        ]
