"""One reader of the activation buffer."""

from amaranth import *
from amaranth.hdl import unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..config import Config
from .control.ports import activation_address
from .fifo import RamFifo, counted
from .unreset import unreset

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
    wants : Out(banks)
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
    """Answers under way or waiting. From a grant until the room of its answer serves another, 9
    cycles pass at full speed; the rest keeps readers going that pause.
    """

    def __init__(self, config: Config):
        self._config = config
        address = activation_address(config)
        self._bank_bits = ceil_log2(config.activation_banks)
        # The proofs look at these.
        self._answers = RamFifo(
            unsigned(config.vector_bits), depth=self.room, name="activation answers"
        )
        self._free = Signal(range(self.room + 1), init=self.room, name="free")
        self._was_granted = Signal(name="was_granted")
        super().__init__(
            {
                "request": In(stream.Signature(address)),
                "data": Out(stream.Signature(unsigned(config.vector_bits))),
                "wants": Out(config.activation_banks),
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

        # Two places, so that ready need not know of the grant of the same cycle. What is stored
        # does not move: a grant comes late in its cycle, and should lead to few registers.
        places = [
            Signal.like(self.request.payload, name=name, reset_less=True)
            for name in ("address0", "address1")
        ]
        filling, oldest = Signal(), Signal()
        waiting, full = Signal(), Signal()
        arrives, granted, leaves = Signal(), Signal(), Signal()
        m.d.comb += [
            self.request.ready.eq(~full),
            arrives.eq(self.request.valid & ~full),
            granted.eq(self.granted & ~self.hold),
            leaves.eq(granted | ~waiting),
        ]
        m.d.sync += [
            filling.eq(filling ^ arrives),
            oldest.eq(oldest ^ granted),
            waiting.eq(full | arrives | ~leaves),
            full.eq(Mux(full, ~granted, arrives & ~leaves)),
        ]
        for n, place in enumerate(places):
            with m.If(arrives & (filling == n)):
                m.d.sync += place.eq(self.request.payload)

        def bank(address):
            return (1 << address[: self._bank_bits])[: len(self.wants)]

        # The bank of the oldest request, one bit; it is known before what is next.
        current, following = Signal.like(self.wants), Signal.like(self.wants)
        with m.If(full):
            m.d.comb += following.eq(bank(Mux(oldest, places[0], places[1])))
        with m.Elif(arrives):
            m.d.comb += following.eq(bank(self.request.payload))
        with m.If(leaves):
            m.d.sync += current.eq(following)

        # Counted a cycle late, told a cycle late: the last two places are not used.
        free, was_granted, has_room = self._free, self._was_granted, Signal()
        m.d.sync += [
            was_granted.eq(granted),
            free.eq(counted(free, self.data.valid & self.data.ready, was_granted)),
        ]
        m.d.comb += has_room.eq(free > 2)
        asks = Mux(leaves, following, current) & has_room.replicate(len(current))
        m.d.sync += self.wants.eq(asks)
        row = unreset(m, self.row)
        with m.If(~self.hold):
            m.d.sync += row.eq(Mux(oldest, places[1], places[0])[self._bank_bits :])
        return m
