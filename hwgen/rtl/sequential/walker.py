"""The words of the activation buffer that a PASS takes, one after the other."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ..commands import instruction_layout
from ..control.ports import activation_address
from ..walker import COORDINATE_BITS, TAP_BITS
from .multiply_add import MultiplyAdd

__all__ = ["WindowWalker"]


class WindowWalker(wiring.Component):
    """Walks the positions of a tile in raster order, over and over, and the taps of the kernel,
    plane by plane. Where the tap of the current position lies is told in the same cycle.

    Counters count from 1, and stand at their first value whenever a walk has ended.

    Members
    -------
    command : In(PASS)
        The instruction; stable during the walk.
    step : In(1)
        Go to the next position, behind the last one to the first.
    next_tap : In(1)
        Go to the next tap, behind the last one to the first.
    last_position, last_tap, first_tap : Out(1)
        What the current ones are.
    address : Out, inside : Out(1)
        The word, and whether there is one: outside of the input tile are zeros.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "command": In(instruction_layout("PASS", config)),
                "step": In(1),
                "next_tap": In(1),
                "last_position": Out(1),
                "last_tap": Out(1),
                "first_tap": Out(1, init=1),
                "address": Out(activation_address(config)),
                "inside": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        x, y, first_row = self._walk_positions(m)
        tap_x, tap_y, plane_offset = self._walk_taps(m)
        command = self.command

        # What lies above or left of the tile is a large number.
        column, row = Signal(TAP_BITS), Signal(TAP_BITS)
        m.d.comb += [
            column.eq(x + tap_x),
            row.eq(y + tap_y),
            self.inside.eq((column < command.in_columns) & (row < command.in_rows)),
        ]
        m.submodules.product = product = MultiplyAdd(signed_a=True)
        m.d.comb += [
            product.i_a.eq(command.in_columns),
            product.i_b.eq(row + first_row),
            product.i_c.eq(command.input + plane_offset),
            self.address.eq(product.o + column),
        ]
        return m

    def _walk_positions(self, m):
        """Row and column of the position, times the stride; rows count from the image's first."""
        command = self.command
        position, place = Signal.like(command.positions, init=1), Signal.like(command.width, init=1)
        x, y = Signal(COORDINATE_BITS), Signal(COORDINATE_BITS)
        first_row = Signal.like(self.address)  # of the image
        last_place = Signal()
        m.d.comb += [
            last_place.eq(place == command.width),
            self.last_position.eq(position == command.positions),
        ]
        following = Signal(COORDINATE_BITS + 1)
        leaves = Signal()
        m.d.comb += [
            following.eq(y + command.stride),
            leaves.eq(command.images & (following >= command.in_rows)),
        ]
        with m.If(self.step):
            m.d.sync += [position.eq(position + 1), place.eq(place + 1), x.eq(x + command.stride)]
            with m.If(last_place):
                m.d.sync += [place.eq(1), x.eq(0), y.eq(following)]
                with m.If(leaves):
                    m.d.sync += [
                        y.eq(following - command.in_rows),
                        first_row.eq(first_row + command.in_rows),
                    ]
            with m.If(self.last_position):
                m.d.sync += [position.eq(1), place.eq(1), x.eq(0), y.eq(0), first_row.eq(0)]
        return x, y, first_row

    def _walk_taps(self, m):
        """Where the tap lies from the place of a window."""
        command = self.command
        kernel_x, kernel_y = Signal(4), Signal(4)
        plane = Signal.like(command.planes, init=1)
        plane_offset = Signal.like(self.address)
        next_x, next_y = Signal(4), Signal(4)
        last_x, last_y, last_plane = (Signal(name=f"last_{n}") for n in ("x", "y", "plane"))
        m.d.comb += [
            next_x.eq(kernel_x + 1),
            next_y.eq(kernel_y + 1),
            last_x.eq(next_x == command.kernel_columns),
            last_y.eq(next_y == command.kernel_rows),
            last_plane.eq(plane == command.planes),
            self.last_tap.eq(last_x & last_y & last_plane),
        ]
        with m.If(self.next_tap):
            m.d.sync += [kernel_x.eq(next_x), self.first_tap.eq(self.last_tap)]
            with m.If(last_x):
                m.d.sync += [kernel_x.eq(0), kernel_y.eq(next_y)]
            with m.If(last_x & last_y):
                m.d.sync += [
                    kernel_y.eq(0),
                    plane.eq(plane + 1),
                    plane_offset.eq(plane_offset + command.input_plane_stride),
                ]
            with m.If(self.last_tap):
                m.d.sync += [plane.eq(1), plane_offset.eq(0)]
        tap_x, tap_y = Signal(signed(TAP_BITS)), Signal(signed(TAP_BITS))
        m.d.comb += [tap_x.eq(kernel_x - command.pad_left), tap_y.eq(kernel_y - command.pad_top)]
        return tap_x, tap_y, plane_offset
