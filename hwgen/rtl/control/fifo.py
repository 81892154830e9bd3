"""First in, first out, between two streams."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...memory import RAM
from ..fifo import counted

__all__ = ["StreamFIFO"]


class StreamFIFO(wiring.Component):
    """A queue of a few payloads, in LUT RAM; one in and one out a cycle, latency 1.

    No combinational path from ``o`` to ``i``: when full, it takes nothing even while it gives.

    Parameters
    ----------
    shape : ShapeLike
        Payload.
    depth : int
        Payloads that fit; a power of two, at least 2.
    name : str
        What the inventory of memories calls it.

    Members
    -------
    i : In(stream), o : Out(stream)

    Raises
    ------
    ValueError
        If the depth is no power of two, or 1.
    """

    def __init__(self, shape, *, depth: int, name: str):
        if depth < 2 or depth & (depth - 1):
            raise ValueError(
                f"StreamFIFO depth must be a power of two of at least 2, not {depth!r}"
            )
        self._shape = shape
        self._depth = depth
        self._name = name
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    @property
    def depth(self) -> int:
        return self._depth

    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = RAM(
            depth=self._depth,
            width=Shape.cast(self._shape).width,
            style="distributed",
            asynchronous=True,
            name=self._name,
        )
        # Counted beside the addresses: to compare them would take longer.
        level = Signal(range(self._depth + 1))
        write, read = (Signal(ceil_log2(self._depth), name=name) for name in ("write", "read"))
        pull = Signal()
        m.d.comb += [
            self.i.ready.eq(~level[-1]),
            self.o.valid.eq(level != 0),
            pull.eq(self.o.valid & self.o.ready),
            rows.w_en.eq(self.i.valid & self.i.ready),
            rows.w_addr.eq(write),
            rows.w_data.eq(self.i.payload),
            rows.r_addr.eq(read),
            self.o.payload.eq(rows.r_data),
        ]
        m.d.sync += [
            write.eq(write + rows.w_en),
            read.eq(read + pull),
            level.eq(counted(level, rows.w_en, pull)),
        ]
        return m
