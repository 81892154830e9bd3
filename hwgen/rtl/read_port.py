"""One reader of the activation buffer."""

from amaranth import *
from amaranth.hdl import unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..config import Config
from .control.ports import activation_address
from .fifo import RamFifo

__all__ = ["ReadPort"]


class ReadPort(wiring.Component):
    """Holds requests until their bank grants them, and answers until their reader takes them.

    A request asks for a grant only when its answer will find room, so banks never wait for readers.
    ``request.ready`` and ``data.valid`` depend on registers only; ``wants`` depends on registers
    only.

    Members
    -------
    request : In(stream(activation_address))
        Words to read; up to two wait here for their bank.
    data : Out(stream(vector_bits))
        The words, in order.
    wants : Out(G)
        The bank that is asked, one bit; none if there is no request, or no room for an answer.
    granted : In(1)
        The bank asked grants the request, unless there is ``hold``.
    hold : In(1)
        The row granted last stays for another cycle.
    row : Out
        Row of the request granted in the cycle before.
    answer_valid : In(1), answer : In(vector_bits)
        What the bank has read, in order; as many as were granted.
    """

    room = 16
    """Answers under way or waiting. From a grant until the room of its answer serves another, 8
    cycles pass at full speed; the rest keeps readers going that pause.
    """

    def __init__(self, config: Config):
        self._config = config
        address = activation_address(config)
        self._bank_bits = ceil_log2(config.array.clusters)
        # The proofs look at these.
        self._answers = RamFifo(
            unsigned(config.vector_bits), depth=self.room, name="activation answers"
        )
        self._free = Signal(range(self.room + 1), init=self.room, name="free")
        super().__init__(
            {
                "request": In(stream.Signature(address)),
                "data": Out(stream.Signature(unsigned(config.vector_bits))),
                "wants": Out(config.array.clusters),
                "granted": In(1),
                "hold": In(1),
                "row": Out(address.width - self._bank_bits),
                "answer_valid": In(1),
                "answer": In(config.vector_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.answers = answers = self._answers
        wiring.connect(m, answers.o, wiring.flipped(self.data))
        m.d.comb += [answers.i.valid.eq(self.answer_valid), answers.i.payload.eq(self.answer)]

        # A place more than one, so that ready need not know of the grant of the same cycle.
        waiting, second = Signal(), Signal()
        address, second_address = (
            Signal.like(self.request.payload, name=n) for n in ("address", "second_address")
        )
        arrives = Signal()
        m.d.comb += [
            self.request.ready.eq(~second),
            arrives.eq(self.request.valid & self.request.ready),
        ]
        granted = Signal()
        m.d.comb += granted.eq(self.granted & ~self.hold)
        with m.If(granted | ~waiting):
            m.d.sync += [
                waiting.eq(second | arrives),
                second.eq(0),
                address.eq(Mux(second, second_address, self.request.payload)),
            ]
        with m.Elif(arrives):
            m.d.sync += [second.eq(1), second_address.eq(self.request.payload)]

        free = self._free
        m.d.sync += free.eq(free - granted + (self.data.valid & self.data.ready))
        # A cycle late, so that arbitration begins with registers: the last place is not used.
        open_ = Signal()
        m.d.sync += open_.eq(free > 1)
        with m.If(waiting & open_):
            m.d.comb += self.wants.eq(1 << address[: self._bank_bits])
        with m.If(~self.hold):
            m.d.sync += self.row.eq(address[self._bank_bits :])
        return m
