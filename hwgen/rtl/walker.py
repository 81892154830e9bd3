"""Walking the positions of a cluster, and the kernel taps of a pass."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..config import Config
from ..isa.checks import DIAGONALS
from .commands import cut_fields, instruction_layout
from .control.ports import activation_address
from .unreset import unreset

__all__ = ["PositionWalker", "TapWalker", "place_layout", "prepared_pass", "walk_layout"]

COORDINATE_BITS = 11
"""Of an output row or column times the stride. Tiles have less than 1024 rows and columns, kernels
less than 16.
"""

TAP_BITS = COORDINATE_BITS + 1

PERIOD_BITS = DIAGONALS - 2
"""Of the number of a position in its cluster, as far as turns depend on it."""


def place_layout(config: Config) -> data.StructLayout:
    """Where a position's window begins, not counting padding: its row and column times the stride,
    in words too.
    """
    return data.StructLayout(
        {"x": COORDINATE_BITS, "y": COORDINATE_BITS, "offset": activation_address(config).width}
    )


def walk_layout(config: Config) -> data.StructLayout:
    """A cluster's first place, and the way from place to place.

    A step adds ``step_x``, ``step_y`` and ``step_offset``. Where x is at ``limit`` or above it
    would leave the tile's row: there it subtracts ``limit`` from x instead, adds ``carry_y`` to y
    instead, and adds ``carry_offset`` instead. From ``last_y`` on, ``carry_last_y`` with that,
    it would leave the image: it subtracts as much from y instead of adding.

    With ``diagonal``, a step to a position whose number has no bit of ``period`` also turns: among
    the G columns next to each other that the clusters share, to the one before, from the first to
    the last. The first position has column number ``column``; columns are ``stride`` apart.
    """
    address = activation_address(config).width
    return data.StructLayout(
        {
            "first": place_layout(config),
            "limit": COORDINATE_BITS,
            "step_x": COORDINATE_BITS,
            "step_y": COORDINATE_BITS,
            "carry_y": COORDINATE_BITS,
            "last_y": COORDINATE_BITS,
            "carry_last_y": COORDINATE_BITS,
            "step_offset": address,
            "carry_offset": address,
            "diagonal": 1,
            "period": PERIOD_BITS,
            "column": max(1, ceil_log2(config.array.clusters)),
            "stride": 3,
        }
    )


def prepared_pass(config: Config) -> data.StructLayout:
    """A PASS ready to be walked. ``positions`` counts those of the cluster; the rest is as in the
    instruction, or is where the first tap of a window lies from the window's place.
    """
    address = activation_address(config).width
    gated = {"gate": 1, "conditional": 1} if config.array.gated else {}
    members = instruction_layout("PASS", config).members
    return data.StructLayout(
        {
            **gated,
            **cut_fields(config),
            "positions": members["positions"],
            "walk": walk_layout(config),
            "in_rows": 10,
            "in_columns": 10,
            "planes": members["planes"],
            "kernel_rows": 4,
            "kernel_columns": 4,
            "plane_stride": address,
            "tap_x": signed(TAP_BITS),
            "tap_y": signed(TAP_BITS),
            "tap_address": address,
        }
    )


class PositionWalker(wiring.Component):
    """The places of a cluster's positions, one after the other. Additions only.

    Members
    -------
    walk : In(walk_layout)
        The way; stable from ``start`` on.
    start : In(1)
        Go to the first position; visible in the next cycle.
    step : In(1)
        Go to the next position; visible in the next cycle.
    place : Out(place_layout)
        The current position's.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "walk": In(walk_layout(config)),
                "start": In(1),
                "step": In(1),
                "place": Out(place_layout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        walk, place = self.walk, unreset(m, self.place)
        turn = self._elaborate_turns(m)
        carries = Signal()
        m.d.comb += carries.eq(place.x >= walk.limit)

        def following_y(last, step):
            """The next y, which is found for both ways: which of them counts comes late."""
            return Mux(place.y >= last, place.y - last, place.y + step)

        with m.If(self.start):
            m.d.sync += place.eq(walk.first)
        with m.Elif(self.step):
            with m.If(carries):
                m.d.sync += [
                    place.x.eq(place.x - walk.limit + turn),
                    place.y.eq(following_y(walk.carry_last_y, walk.carry_y)),
                    place.offset.eq(place.offset + walk.carry_offset + turn),
                ]
            with m.Else():
                m.d.sync += [
                    place.x.eq(place.x + walk.step_x + turn),
                    place.y.eq(following_y(walk.last_y, walk.step_y)),
                    place.offset.eq(place.offset + walk.step_offset + turn),
                ]
        return m

    def _elaborate_turns(self, m):
        """What the next step adds to x for the diagonal: a register."""
        clusters = self._config.array.clusters
        walk = self.walk
        turn = Signal(signed(4 + ceil_log2(clusters)))
        if clusters == 1:
            return turn
        number, column = Signal(PERIOD_BITS), Signal.like(walk.column)
        following, before = Signal(PERIOD_BITS), Signal.like(column)
        due, turns = Signal(), Signal()  # the dealing turns with the step after the next, the next
        m.d.comb += [
            following.eq(Mux(self.start, 2, number + 1)),
            before.eq(Mux(self.start, walk.column, column)),
            turns.eq(Mux(self.start, walk.diagonal & ~walk.period[0], due)),
        ]
        with m.If(self.start | self.step):
            m.d.sync += [
                number.eq(following),
                due.eq(walk.diagonal & ((following & walk.period) == 0)),
                column.eq(before - turns),
                turn.eq(0),
            ]
            with m.If(turns & (before == 0)):
                # Times G - 1.
                m.d.sync += turn.eq((walk.stride << ceil_log2(clusters)) - walk.stride)
            with m.Elif(turns):
                m.d.sync += turn.eq(-walk.stride)
        return turn


class TapWalker(wiring.Component):
    """The taps of a pass, chunk after chunk: where each lies from the place of a window. Additions
    only.

    Members
    -------
    job : In(prepared_pass)
        The pass; stable from ``start`` on.
    start : In(1)
        Go to the first chunk; visible in the next cycle.
    step : In(1)
        Go to the next chunk; visible in the next cycle.
    x, y, address : Out
        To be added to those of a place.
    last : Out(1)
        This is the last chunk.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "job": In(prepared_pass(config)),
                "start": In(1),
                "step": In(1),
                "x": Out(signed(TAP_BITS)),
                "y": Out(signed(TAP_BITS)),
                "address": Out(activation_address(self._config)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        job = self.job
        # Taps, rows and planes that are left, and where the current row and plane began.
        columns, rows = Signal.like(job.kernel_columns), Signal.like(job.kernel_rows)
        planes = Signal.like(job.planes)
        row_address, plane_address = Signal.like(self.address), Signal.like(self.address)
        row_ends, plane_ends = Signal(), Signal()
        m.d.comb += [
            row_ends.eq(columns == 1),
            plane_ends.eq(row_ends & (rows == 1)),
            self.last.eq(plane_ends & (planes == 1)),
        ]

        def begin_row(address):
            m.d.sync += [
                columns.eq(job.kernel_columns),
                self.x.eq(job.tap_x),
                self.address.eq(address),
                row_address.eq(address),
            ]

        def begin_plane(address):
            begin_row(address)
            m.d.sync += [
                rows.eq(job.kernel_rows),
                self.y.eq(job.tap_y),
                plane_address.eq(address),
            ]

        with m.If(self.start):
            begin_plane(job.tap_address)
            m.d.sync += planes.eq(job.planes)
        with m.Elif(self.step):
            with m.If(plane_ends):
                begin_plane((plane_address + job.plane_stride)[: len(plane_address)])
                m.d.sync += planes.eq(planes - 1)
            with m.Elif(row_ends):
                begin_row((row_address + job.in_columns)[: len(row_address)])
                m.d.sync += [rows.eq(rows - 1), self.y.eq(self.y + 1)]
            with m.Else():
                m.d.sync += [
                    columns.eq(columns - 1),
                    self.x.eq(self.x + 1),
                    self.address.eq(self.address + 1),
                ]
        return m
