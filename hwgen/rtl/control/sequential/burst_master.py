"""One burst at a time."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ....config import Config
from ...axi import BURST_INCR, AXI4Signature
from ..splitter import longest_burst

__all__ = ["BurstMaster"]


class BurstMaster(wiring.Component):
    """Reads a burst, or writes one. What has begun is always ended; only then the next may begin.

    Beats that come are not refused. A burst begins in the cycle after ``start`` and is over when
    ``idle`` is high again, after its last beat or, if it writes, after its answer.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    axi : Out(AXI4Signature)
    start, write, beats : In
        Strobe, when ``idle``: write or read a burst of ``beats`` + 1.
    address : In
        Of its first beat, counted in beats; stable until ``idle``.
    data : In
        The beat to write; new in the cycle after ``following``, the first after ``start``.
    following : Out(1)
        Strobe: a beat has gone, and another must follow.
    arrived, last : Out(1), Out(1)
        Strobe: a beat has come, on ``axi.rdata``; it is the last one.
    left : Out
        Beats behind this one.
    idle, moved : Out(1)
        No burst is under way; anything has moved on the channels.
    failed : Out(1)
        Strobe: memory has answered with an error.
    """

    def __init__(self, config: Config):
        self._beat = exact_log2(config.bus.data_width // 8)
        left = exact_log2(longest_burst(config))
        super().__init__(
            {
                "axi": Out(
                    AXI4Signature(
                        address_width=config.bus.address_width, data_width=config.bus.data_width
                    )
                ),
                "start": In(1),
                "write": In(1),
                "beats": In(left),
                "address": In(config.bus.address_width - self._beat),
                "data": In(config.bus.data_width),
                "following": Out(1),
                "arrived": Out(1),
                "last": Out(1),
                "left": Out(left),
                "idle": Out(1),
                "moved": Out(1),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        axi = self.axi
        length = Signal.like(self.beats)
        final, answered = Signal(), Signal()
        m.d.comb += [
            final.eq(self.left == 0),
            axi.wdata.eq(self.data),
            axi.wstrb.eq(~0),
            axi.wlast.eq(final),
            self.last.eq(final),
            self.arrived.eq(axi.rvalid & axi.rready),
            answered.eq(axi.bvalid & axi.bready),
            self.failed.eq((self.arrived & axi.rresp[1]) | (answered & axi.bresp[1])),
            self.moved.eq(
                self.arrived
                | (axi.arvalid & axi.arready)
                | (axi.awvalid & axi.awready)
                | (axi.wvalid & axi.wready)
                | answered
            ),
        ]
        for address, width, size, burst, cache in (
            (axi.araddr, axi.arlen, axi.arsize, axi.arburst, axi.arcache),
            (axi.awaddr, axi.awlen, axi.awsize, axi.awburst, axi.awcache),
        ):
            m.d.comb += [
                address.eq(Cat(C(0, self._beat), self.address)),
                width.eq(length),
                size.eq(self._beat),
                burst.eq(BURST_INCR),
                cache.eq(0b0011),
            ]
        with m.If(self.arrived | self.following):
            m.d.sync += self.left.eq(self.left - 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(1)
                m.d.sync += [length.eq(self.beats), self.left.eq(self.beats)]
                with m.If(self.start):
                    m.d.sync += [axi.awvalid.eq(self.write), axi.wvalid.eq(self.write)]
                    m.next = "ADDRESS"
                    with m.If(self.write):
                        m.next = "WRITE"
            with m.State("ADDRESS"):
                m.d.comb += axi.arvalid.eq(1)
                with m.If(axi.arready):
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += axi.rready.eq(1)
                with m.If(axi.rvalid & final):
                    m.next = "IDLE"
            with m.State("WRITE"):
                # Memory may wait for beats before it takes the address, or the other way round.
                m.d.comb += [
                    axi.bready.eq(~axi.awvalid & ~axi.wvalid),
                    self.following.eq(axi.wvalid & axi.wready & ~final),
                ]
                with m.If(axi.awready):
                    m.d.sync += axi.awvalid.eq(0)
                with m.If(axi.wready & final):
                    m.d.sync += axi.wvalid.eq(0)
                with m.If(answered):
                    m.next = "IDLE"
        return m
