"""The reading half of the memory port."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from ...config import Config
from ..axi import BURST_INCR, AXI4ReadSignature
from ..fifo import counted
from .splitter import burst

__all__ = ["ReadMaster"]


class ReadMaster(wiring.Component):
    """Issues the bursts of its clients in turn, and hands each the beats of its own, in order.

    Up to ``config.bus.outstanding`` bursts are under way, all with ID 0. Beats pass without a
    register: a client that is not ready holds up the bus, for the others too, so a client must not
    ask for beats that it will not take whatever the others do.

    ``abandon`` may come at any time: no new burst is issued, an address that waits goes on waiting,
    beats of bursts under way are swallowed. It must stay until ``idle``.

    Parameters
    ----------
    config : Config
        The accelerator.
    clients : int
        Number of clients.

    Members
    -------
    bursts : In(stream of burst).array(clients), beats : Out(stream).array(clients)
    axi : Out(AXI4ReadSignature)
    abandon : In(1)
    idle : Out(1)
        No transaction is under way.
    error : Out(clients)
        Strobes: the memory has answered a client's burst with an error.
    beat, moved : Out(1)
        Strobes: a beat was taken; an address or a beat was.
    """

    def __init__(self, config: Config, *, clients: int):
        self._config = config
        self._clients = clients
        bus = config.bus
        super().__init__(
            {
                "bursts": In(stream.Signature(burst(config))).array(clients),
                "beats": Out(stream.Signature(unsigned(bus.data_width))).array(clients),
                "axi": Out(
                    AXI4ReadSignature(address_width=bus.address_width, data_width=bus.data_width)
                ),
                "abandon": In(1),
                "idle": Out(1),
                "error": Out(clients),
                "beat": Out(1),
                "moved": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        axi, limit = self.axi, self._config.bus.outstanding
        # Bursts under way, the one that waits for arready included
        level = Signal(range(limit + 1))
        owners = Signal(limit * self._width)  # whose they are, the oldest lowest
        popped = Signal()
        m.d.comb += [
            axi.arsize.eq(exact_log2(self._config.bus.data_width // 8)),
            axi.arburst.eq(BURST_INCR),
            axi.arcache.eq(0b0011),
            self.idle.eq(level == 0),
            popped.eq(self.beat & axi.rlast),
            self.moved.eq(self.beat | (axi.arvalid & axi.arready)),
        ]
        pushed, chosen = self._arbitrate(m, level != limit)
        expected = Signal()  # level != 0
        self._deliver(m, owners[: self._width], expected)

        # The end of a beat comes last in its cycle: both ways are prepared.
        def joined(kept, place):
            """The owners with the new one at its place."""
            words = [kept.word_select(n, self._width) for n in range(limit)]
            return Cat(Mux(pushed & (place == n), chosen, word) for n, word in enumerate(words))

        m.d.sync += [
            level.eq(counted(level, pushed, popped)),
            expected.eq(pushed | Mux(popped, level > 1, level != 0)),
            owners.eq(Mux(popped, joined(owners >> self._width, level - 1), joined(owners, level))),
        ]
        return m

    @property
    def _width(self) -> int:
        return bits_for(self._clients - 1)

    def _arbitrate(self, m, room):
        """Take a burst of the client after the last one served, if the address register is free."""
        axi = self.axi
        turn, chosen = Signal(self._width), Signal(self._width)
        free, pushed = Signal(), Signal()
        with m.Switch(turn):
            for last in range(self._clients):
                with m.Case(last):
                    # Later assignments win: the client after the last one comes first.
                    for distance in range(self._clients, 0, -1):
                        client = (last + distance) % self._clients
                        with m.If(self.bursts[client].valid):
                            m.d.comb += chosen.eq(client)
        m.d.comb += free.eq((~axi.arvalid | axi.arready) & room & ~self.abandon)
        with m.If(axi.arready):
            m.d.sync += axi.arvalid.eq(0)
        for n, client in enumerate(self.bursts):
            m.d.comb += client.ready.eq(free & client.valid & (chosen == n))
            with m.If(client.ready):
                m.d.comb += pushed.eq(1)
                m.d.sync += [
                    turn.eq(n),
                    axi.arvalid.eq(1),
                    axi.araddr.eq(client.payload.address),
                    axi.arlen.eq(client.payload.beats),
                ]
        return pushed, chosen

    def _deliver(self, m, owner, expected):
        """Beats to the owner of the oldest burst, or nowhere."""
        axi = self.axi
        ready = Signal()
        for n, client in enumerate(self.beats):
            m.d.comb += [
                client.payload.eq(axi.rdata),
                client.valid.eq(axi.rvalid & expected & (owner == n) & ~self.abandon),
                self.error[n].eq(self.beat & axi.rresp[1] & (owner == n) & ~self.abandon),
            ]
            with m.If(owner == n):
                m.d.comb += ready.eq(client.ready)
        m.d.comb += [
            axi.rready.eq(expected & (ready | self.abandon)),
            self.beat.eq(axi.rvalid & axi.rready),
        ]
