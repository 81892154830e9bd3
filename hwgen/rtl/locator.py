"""From a place and a tap to a word of the activation buffer."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import Config
from .commands import cut_fields
from .control.ports import activation_address
from .skid import Skid
from .task_index import task_entry
from .unreset import unreset
from .walker import TAP_BITS

__all__ = ["Locator", "located_vector"]


def located_vector(config: Config) -> data.StructLayout:
    """A vector to be: the word to read if it is ``inside`` of the input tile, else zeros."""
    return data.StructLayout(
        {
            "inside": 1,
            "address": activation_address(config),
            **cut_fields(config),
            "want": config.groups,
        }
    )


class Locator(wiring.Component):
    """Adds tap and place, and finds out whether the input tile has that row and column. Latency 2,
    one a cycle.

    ``i.ready`` is a register: all walkers move with it.

    Members
    -------
    i : In(stream(task_entry))
        Places, and who wants their vectors.
    tap_x, tap_y, tap_address : In
        The tap, in the cycle of the transfer.
    rows, columns : In
        Size of the input tile; this and the following stable until ``i.ready`` is high again.
    mask, align : In
        What is taken of a byte; see :func:`cut_fields`.
    o : Out(stream(located_vector))
        Words.
    busy : Out(1)
        Something is under way.
    """

    latency = 2

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(task_entry(config))),
                "tap_x": In(signed(TAP_BITS)),
                "tap_y": In(signed(TAP_BITS)),
                "tap_address": In(activation_address(config)),
                "rows": In(10),
                "columns": In(10),
                **{name: In(bits) for name, bits in cut_fields(config).items()},
                "o": Out(stream.Signature(located_vector(config))),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Who comes while the stages stand still steps aside.
        step = data.StructLayout(
            {
                "entry": self.i.payload.shape(),
                "tap_x": self.tap_x.shape(),
                "tap_y": self.tap_y.shape(),
                "tap_address": self.tap_address.shape(),
            }
        )
        m.submodules.skid = skid = Skid(step)
        m.d.comb += [
            skid.i.valid.eq(self.i.valid),
            self.i.ready.eq(skid.i.ready),
            skid.i.payload.entry.eq(self.i.payload),
            skid.i.payload.tap_x.eq(self.tap_x),
            skid.i.payload.tap_y.eq(self.tap_y),
            skid.i.payload.tap_address.eq(self.tap_address),
        ]
        tap, place = skid.o.payload, skid.o.payload.entry.place
        o = unreset(m, self.o.payload)
        found = Signal()
        # Unsigned: what lies above or left of the tile is a large number, and one comparison does
        # for both sides.
        x, y = Signal(TAP_BITS, reset_less=True), Signal(TAP_BITS, reset_less=True)
        address = Signal.like(o.address, reset_less=True)
        want = Signal.like(o.want, reset_less=True)
        rows, columns = (
            Signal.like(self.rows, name=name, reset_less=True) for name in ("rows", "columns")
        )
        cut = {
            name: Signal(bits, name=name, reset_less=True)
            for name, bits in cut_fields(self._config).items()
        }

        leaves = Signal()
        m.d.comb += [
            leaves.eq(~self.o.valid | self.o.ready),
            skid.o.ready.eq(~found | leaves),
            self.busy.eq(skid.waiting | found | self.o.valid),
        ]
        with m.If(skid.o.ready):
            m.d.sync += [
                found.eq(skid.o.valid),
                x.eq(place.x + tap.tap_x),
                y.eq(place.y + tap.tap_y),
                address.eq(place.offset + tap.tap_address),
                want.eq(tap.entry.want),
                rows.eq(self.rows),
                columns.eq(self.columns),
                *(field.eq(getattr(self, name)) for name, field in cut.items()),
            ]
        with m.If(leaves):
            m.d.sync += [
                self.o.valid.eq(found),
                o.inside.eq((x < columns) & (y < rows)),
                o.address.eq(address),
                *(o[name].eq(field) for name, field in cut.items()),
                o.want.eq(want),
            ]
        return m
