"""The instructions that wait in front of a unit, and their tokens."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...isa.instructions import TOKENS
from .fifo import StreamFIFO

__all__ = ["UnitQueue", "queued"]


def queued(payload, index_bits: int, tokens: int = TOKENS) -> data.StructLayout:
    """An instruction in a queue: its tokens, its number in the program and what the unit needs."""
    return data.StructLayout(
        {"wait": tokens, "post": tokens, "index": index_bits, "payload": payload}
    )


class UnitQueue(wiring.Component):
    """Hands instructions to a unit in order, each after it has got its tokens, and posts when the
    unit is done.

    Without room for waiting instructions, those that come have their tokens: they go straight to
    the unit, and ``i.ready`` depends on ``o.ready``.

    Parameters
    ----------
    payload : ShapeLike
        What the unit needs of an instruction.
    depth : int
        Instructions that wait; a power of two, at least 2, or 0.
    in_flight : int
        Instructions that may have been accepted and not be done, at least 1.
    index_bits : int
        Bits of the number of an instruction that are kept, for ``index``; may be 0.
    tokens : int
        Number of token counters.
    name : str
        Of the unit.

    Members
    -------
    i : In(stream of queued), o : Out(stream of payload)
    done : In(1)
        Strobe from the unit: its oldest instruction has ended. Not before the cycle after it was
        accepted.
    asking, ask, granted : Out(1), Out(tokens), In(1)
        To the token counters.
    post : Out(tokens)
        Tokens of the instruction that has ended in the cycle before.
    busy : Out(1)
        An instruction has got its tokens and is not done.
    idle : Out(1)
        There is no instruction at all.
    index : Out(index_bits)
        Number of the instruction that was offered last.
    """

    def __init__(
        self,
        payload,
        *,
        depth: int,
        in_flight: int,
        index_bits: int,
        name: str,
        tokens: int = TOKENS,
    ):
        if in_flight < 1:
            raise ValueError(f"UnitQueue in_flight must be at least 1, not {in_flight!r}")
        self._payload = payload
        self._depth = depth
        self._in_flight = in_flight
        self._index_bits = index_bits
        self._name = name
        self._tokens = tokens
        super().__init__(
            {
                "i": In(stream.Signature(queued(payload, index_bits, tokens))),
                "o": Out(stream.Signature(payload)),
                "done": In(1),
                "asking": Out(1),
                "ask": Out(tokens),
                "granted": In(1),
                "post": Out(tokens),
                "busy": Out(1),
                "idle": Out(1),
                "index": Out(index_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        level = Signal(range(self._in_flight + 1))  # instructions accepted and not done
        accepted = Signal()
        # That a unit is done comes late in its cycle: all that follows from it comes in the next.
        ended = Signal()
        m.d.sync += ended.eq(self.done)
        room = (level != self._in_flight) | ended
        head = self._wait(m, room, accepted) if self._depth else self._pass_on(m, room, accepted)
        m.d.comb += [
            self.o.payload.eq(head.payload),
            accepted.eq(self.o.valid & self.o.ready),
            self.busy.eq(self.o.valid | (level != 0)),
        ]
        with m.If(level != 0):
            m.d.comb += self.idle.eq(0)
        m.d.sync += level.eq(level + accepted - ended)
        posts = self._posts(m, head.post, accepted)
        m.d.sync += self.post.eq(posts & self.done.replicate(self._tokens))
        return m

    def _wait(self, m, room, accepted):
        """Instructions wait in a queue; its head, when it has its tokens, is offered."""
        m.submodules.waiting = waiting = StreamFIFO(
            self.i.payload.shape(), depth=self._depth, name=f"{self._name}_queue"
        )
        wiring.connect(m, wiring.flipped(self.i), waiting.i)
        head = waiting.o.payload
        offered = Signal()  # the head has its tokens
        # It has been the head for two cycles by then, so the unit gets it from registers.
        given = Signal.like(head, reset_less=True)
        m.d.sync += given.eq(head)
        m.d.comb += [
            self.ask.eq(head.wait),
            self.asking.eq(waiting.o.valid & ~offered & room),
            self.o.valid.eq(offered),
            waiting.o.ready.eq(accepted),
            self.idle.eq(~waiting.o.valid),
        ]
        with m.If(self.granted):
            m.d.sync += [offered.eq(1), self.index.eq(head.index)]
        with m.If(accepted):
            m.d.sync += offered.eq(0)
        return given

    def _pass_on(self, m, room, accepted):
        """Who comes has its tokens, and is offered as soon as there is room."""
        m.d.comb += [
            self.o.valid.eq(self.i.valid & room),
            self.i.ready.eq(accepted),
            self.idle.eq(1),
        ]
        with m.If(accepted):
            m.d.sync += self.index.eq(self.i.payload.index)
        return self.i.payload

    def _posts(self, m, newest, accepted):
        """The tokens that the oldest instruction under way will give."""
        if self._in_flight == 1:
            posts = Signal(self._tokens)
            with m.If(accepted):
                m.d.sync += posts.eq(newest)
            return posts
        m.submodules.posts = posts = StreamFIFO(
            self._tokens, depth=1 << ceil_log2(self._in_flight), name=f"{self._name}_posts"
        )
        m.d.comb += [
            posts.i.valid.eq(accepted),
            posts.i.payload.eq(newest),
            posts.o.ready.eq(self.done),
        ]
        return posts.o.payload
