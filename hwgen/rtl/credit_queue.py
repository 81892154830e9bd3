"""A queue behind a pipeline that cannot stall."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..memory import RAM
from .fifo import counted

__all__ = ["CreditQueue"]


class CreditQueue(wiring.Component):
    """First in, first out, without a word to its source: whoever pushes counts what is under way.

    The output comes from registers, or from the output of a block RAM; ``o.ready`` leads to
    registers and to the enable of the memory. What is pushed in a cycle is offered two cycles
    later. One payload a cycle.

    Parameters
    ----------
    shape : ShapeLike
        Payload.
    depth : int
        Payloads that have room, a power of two of at least 2. To push more is an error of the
        user.
    name : str
        What the inventory calls the memory.

    Members
    -------
    push : In(1), i : In(shape)
        Append ``i`` in this cycle.
    o : Out(stream)
        The oldest payload.

    Raises
    ------
    ValueError
        If ``depth`` is not a power of two of at least 2.
    """

    def __init__(self, shape, *, depth: int, name: str):
        if depth < 2 or depth & (depth - 1):
            raise ValueError(
                f"CreditQueue depth must be a power of two of at least 2, not {depth!r}"
            )
        self._depth = depth
        self._name = name
        super().__init__({"push": In(1), "i": In(shape), "o": Out(stream.Signature(shape))})

    @property
    def depth(self) -> int:
        return self._depth

    def elaborate(self, platform):
        m = Module()
        m.submodules.entries = entries = RAM(
            depth=self._depth,
            width=len(Value.cast(self.i)),
            style="distributed",
            name=self._name,
        )
        # The oldest payload is in the output register of the memory, the others wait in its rows.
        waiting = Signal(range(self._depth + 1))
        write, read = Signal(ceil_log2(self._depth)), Signal(ceil_log2(self._depth))
        fetch = Signal()
        m.d.comb += [
            fetch.eq((waiting != 0) & (~self.o.valid | self.o.ready)),
            entries.w_en.eq(self.push),
            entries.w_addr.eq(write),
            entries.w_data.eq(self.i),
            entries.r_en.eq(fetch),
            entries.r_addr.eq(read),
            self.o.payload.eq(entries.r_data),
        ]
        m.d.sync += [
            write.eq(write + self.push),
            read.eq(read + fetch),
            waiting.eq(counted(waiting, self.push, fetch)),
        ]
        with m.If(fetch):
            m.d.sync += self.o.valid.eq(1)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
