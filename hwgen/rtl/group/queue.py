"""The vectors that wait in front of a group."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from ...memory import RAM

__all__ = ["VectorQueue"]


class VectorQueue(wiring.Component):
    """First in, first out; the two oldest vectors are visible, and up to two leave in a cycle.

    A vector pushed in one cycle is visible in the next. ``ready`` is a register: a full queue takes
    nothing even while it is popped. With two heads, even and odd entries lie in two
    memories, so that the heads cost no second copy.

    Parameters
    ----------
    depth : int
        Vectors it holds, at least 2.
    width : int
        Bits of a vector.
    heads : int
        Vectors visible, and popped in a cycle at most: 1 or 2.

    Members
    -------
    push : In(1), data : In(width), ready : Out(1)
        A push counts only in a cycle with ``ready``.
    head0, head1 : Out(width)
        The oldest vector and the next; meaningful if ``level`` says so. One head: no ``head1``.
    level : Out
        Number of vectors in the queue.
    some, two : Out(1)
        There is a vector, there are at least two; from registers. One head: no ``two``.
    pops : In
        Vectors to drop in this cycle, oldest first; never more than ``level``.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, *, depth: int, width: int, heads: int = 2):
        if not isinstance(depth, int) or depth < 2:
            raise ValueError(f"depth must be an integer of at least 2, not {depth!r}")
        if heads not in (1, 2):
            raise ValueError(f"heads must be 1 or 2, not {heads!r}")
        self._depth = depth
        self._width = width
        self._heads = heads
        members = {"push": In(1), "data": In(width), "ready": Out(1, init=1), "head0": Out(width)}
        if heads == 2:
            members |= {"head1": Out(width), "two": Out(1)}
        members |= {"level": Out(range(depth + 1)), "some": Out(1), "pops": In(range(heads + 1))}
        super().__init__(members)

        # Places of the next push and of the oldest vector: here, where a proof can see them.
        places = self._rows * heads
        self._write = Signal(range(places), name="write")
        self._read = Signal(range(places), name="read")

    @property
    def depth(self) -> int:
        return self._depth

    @property
    def _rows(self) -> int:
        return -(-self._depth // self._heads)

    def elaborate(self, platform):
        m = Module()
        accepted = Signal()
        m.d.comb += accepted.eq(self.push & self.ready)
        m.d.sync += self.level.eq(self.level + accepted - self.pops)

        def at_least(count):
            """Whether so many will be there; how many are popped is known last."""
            left = [
                (self.level >= count + n) | (accepted & (self.level >= count + n - 1))
                for n in range(self._heads + 1)
            ]
            kept = Mux(self.pops[0], left[1], left[0])
            return kept if self._heads == 1 else Mux(self.pops[1], left[2], kept)

        m.d.sync += [self.some.eq(at_least(1)), self.ready.eq(~at_least(self._depth))]
        if self._heads == 2:
            m.d.sync += self.two.eq(at_least(2))

        # A ring of places: place = row * heads + memory.
        places = self._rows * self._heads
        memories = []
        for n in range(self._heads):
            memory = RAM(
                depth=max(2, self._rows),
                width=self._width,
                style="distributed",
                asynchronous=True,
                name="vector queue",
            )
            m.submodules[f"entries{n}"] = memory
            memories.append(memory)

        write, read = self._write, self._read

        def advanced(pointer, by, name):
            """``pointer`` moved by at most ``heads`` around the ring."""
            moved = Signal(bits_for(places + self._heads - 1), name=name)
            m.d.comb += moved.eq(pointer + by)
            return Mux(moved >= places, moved - places, moved)[: len(pointer)]

        with m.If(accepted):
            m.d.sync += write.eq(advanced(write, 1, "write_moved"))
        m.d.sync += read.eq(advanced(read, self.pops, "read_moved"))

        shift = ceil_log2(self._heads)
        for n, memory in enumerate(memories):
            m.d.comb += [
                memory.w_en.eq(accepted & (write[:shift] == n)),
                memory.w_addr.eq(write[shift:]),
                memory.w_data.eq(self.data),
            ]
        if self._heads == 1:
            m.d.comb += [memories[0].r_addr.eq(read), self.head0.eq(memories[0].r_data)]
        else:
            even, odd = memories
            following = Signal.like(odd.r_addr)
            m.d.comb += following.eq(advanced(read, 2, "read_row_moved")[1:])
            m.d.comb += [
                even.r_addr.eq(Mux(read[0], following, read[1:])),
                odd.r_addr.eq(read[1:]),
                self.head0.eq(Mux(read[0], odd.r_data, even.r_data)),
                self.head1.eq(Mux(read[0], even.r_data, odd.r_data)),
            ]
        return m
