"""The writing half of the memory port."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ...config import Config
from ..axi import BURST_INCR, AXI4WriteSignature
from .splitter import burst

__all__ = ["WriteMaster", "write_beat"]


def write_beat(config: Config) -> data.StructLayout:
    """A beat to write; bit i of ``strobes`` enables byte i."""
    return data.StructLayout({"data": config.bus.data_width, "strobes": config.bus.data_width // 8})


class WriteMaster(wiring.Component):
    """Issues bursts and the beats that belong to them: the beats of all bursts, in order, come as
    one stream.

    Up to ``config.bus.outstanding`` bursts are under way. A beat takes one register on its way; one
    beat a cycle.

    ``abandon`` may come at any time: no new burst is issued, an address or a beat that waits goes
    on waiting unchanged, and bursts that have begun are finished by beats without strobes, which
    write nothing. It must stay until ``idle``.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    bursts : In(stream of burst), beats : In(stream of write_beat)
    axi : Out(AXI4WriteSignature)
    abandon : In(1)
    idle : Out(1)
        No transaction is under way: all that was written has been answered.
    error : Out(1)
        Strobe: the memory has answered with an error.
    beat, moved : Out(1)
        Strobes: a beat was given to the memory; anything has moved on the three channels.
    """

    def __init__(self, config: Config):
        self._config = config
        bus = config.bus
        super().__init__(
            {
                "bursts": In(stream.Signature(burst(config))),
                "beats": In(stream.Signature(write_beat(config))),
                "axi": Out(
                    AXI4WriteSignature(address_width=bus.address_width, data_width=bus.data_width)
                ),
                "abandon": In(1),
                "idle": Out(1),
                "error": Out(1),
                "beat": Out(1),
                "moved": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        axi, limit = self.axi, self._config.bus.outstanding
        level = Signal(range(limit + 1))  # bursts that have begun and have no answer yet
        answered, begun = Signal(), Signal()
        active = Signal()  # beats of a burst are still to come
        left = Signal(8)  # how many behind the next one
        final = Signal()  # none
        taken, ended = Signal(), Signal()
        m.d.comb += [
            axi.awsize.eq(exact_log2(self._config.bus.data_width // 8)),
            axi.awburst.eq(BURST_INCR),
            axi.awcache.eq(0b0011),
            axi.bready.eq(level != 0),
            answered.eq(axi.bvalid & axi.bready),
            self.idle.eq(level == 0),
            self.error.eq(answered & axi.bresp[1] & ~self.abandon),
            self.beat.eq(axi.wvalid & axi.wready),
            self.moved.eq(self.beat | answered | (axi.awvalid & axi.awready)),
            self.beats.ready.eq(active & (~axi.wvalid | axi.wready) & ~self.abandon),
            taken.eq(active & (~axi.wvalid | axi.wready) & (self.beats.valid | self.abandon)),
            ended.eq(taken & final),
            self.bursts.ready.eq(
                (~axi.awvalid | axi.awready) & (~active | ended) & (level != limit) & ~self.abandon
            ),
            begun.eq(self.bursts.valid & self.bursts.ready),
        ]
        m.d.sync += level.eq(level + begun - answered)
        with m.If(axi.awready):
            m.d.sync += axi.awvalid.eq(0)
        with m.If(axi.wready):
            m.d.sync += axi.wvalid.eq(0)
        with m.If(taken):
            m.d.sync += [
                axi.wvalid.eq(1),
                axi.wdata.eq(self.beats.payload.data),
                axi.wstrb.eq(Mux(self.abandon, 0, self.beats.payload.strobes)),
                axi.wlast.eq(final),
                left.eq(left - 1),
                final.eq(left == 1),
            ]
        with m.If(ended):
            m.d.sync += active.eq(0)
        with m.If(begun):
            m.d.sync += [
                axi.awvalid.eq(1),
                axi.awaddr.eq(self.bursts.payload.address),
                active.eq(1),
                axi.awlen.eq(self.bursts.payload.beats),
                left.eq(self.bursts.payload.beats),
                final.eq(self.bursts.payload.beats == 0),
            ]
        return m
