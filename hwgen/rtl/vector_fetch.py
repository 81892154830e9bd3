"""Words of the activation buffer, or zeros, as vectors."""

from amaranth import *
from amaranth.hdl import unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..config import Config
from .commands import cut_fields, vector
from .control.ports import activation_address
from .fifo import RamFifo
from .group.buffer import StreamBuffer
from .locator import located_vector

__all__ = ["VectorFetch"]


class VectorFetch(wiring.Component):
    """Reads the words that are inside, makes vectors of zeros for the others, and keeps the order.
    A vector a cycle.

    ``o`` and ``data.ready`` come from registers; ``i.ready`` depends on ``request.ready`` in the
    same cycle. A word that comes is offered ``latency`` cycles later.

    Members
    -------
    i : In(stream(located_vector))
        What to fetch.
    request : Out(stream(activation_address)), data : In(stream(vector_bits))
        A read port of the activation buffer.
    o : Out(stream(vector))
        Vectors, their bytes ANDed with the mask, then moved up by ``align``.
    busy : Out(1)
        Something is under way.
    """

    latency = 2

    room = 16
    """Vectors under way: more than a read takes, so that zeros and words can alternate at full
    speed.
    """

    def __init__(self, config: Config):
        self._config = config
        want = {"want": config.groups} if config.array.gated else {}
        self._ticket = data.StructLayout({"inside": 1, **cut_fields(config), **want})
        # The proofs look at it.
        self._order = RamFifo(self._ticket, depth=self.room, name="vector order")
        super().__init__(
            {
                "i": In(stream.Signature(located_vector(config))),
                "request": Out(stream.Signature(activation_address(config))),
                "data": In(stream.Signature(unsigned(config.vector_bits))),
                "o": Out(stream.Signature(vector(config))),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        gated = self._config.array.gated
        m.submodules.order = order = self._order
        m.submodules.words = words = StreamBuffer(self.data.payload.shape())
        m.submodules.vectors = vectors = StreamBuffer(vector(self._config))
        connect(m, flipped(self.data), words.i)
        connect(m, vectors.o, flipped(self.o))

        wanted, asked = self.i.payload, order.i.payload
        m.d.comb += [
            self.request.payload.eq(wanted.address),
            self.request.valid.eq(self.i.valid & wanted.inside & order.i.ready),
            order.i.valid.eq(self.i.valid & (self.request.ready | ~wanted.inside)),
            self.i.ready.eq(order.i.ready & (self.request.ready | ~wanted.inside)),
        ]
        m.d.comb += [asked[name].eq(wanted[name]) for name in self._ticket.members]

        due = order.o.payload
        mask = due.mask & due.inside.replicate(8)
        lanes = [words.o.payload.word_select(n, 8) & mask for n in range(self._config.array.lanes)]
        if "align" in cut_fields(self._config):
            lanes = [(lane << due.align)[:8] for lane in lanes]
        there = Signal()
        m.d.comb += [
            there.eq(order.o.valid & (words.o.valid | ~due.inside)),
            order.o.ready.eq(vectors.i.ready & there),
            words.o.ready.eq(vectors.i.ready & there & due.inside),
            vectors.i.valid.eq(there),
            vectors.i.payload.data.eq(Cat(lanes)),
            vectors.i.payload.want.eq(due.want if gated else -1),
            self.busy.eq(order.busy | self.o.valid),
        ]
        return m
