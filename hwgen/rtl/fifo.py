"""A stream that waits in a memory."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..memory import RAM

__all__ = ["RamFifo", "counted"]

LUT_RAM_ROWS = 64
"""From here on block RAM is smaller."""


def counted(level, up, down):
    """``level`` after it has gone up, or down, or both, or neither. Both steps are made before it
    is known which counts, since that comes late in a cycle.
    """
    stays = Mux(up, (level + 1)[: len(level)], level)
    return Mux(down, Mux(up, level, (level - 1)[: len(level)]), stays)


class RamFifo(wiring.Component):
    """First in, first out. A payload taken in one cycle is offered two cycles later; one a cycle
    passes.

    It holds ``depth`` payloads in memory and one more at the output. No path from ``o.ready`` to
    ``i.ready`` within a cycle, none from ``i`` to ``o``: ``i.ready`` and ``o`` depend on registers
    only.

    Parameters
    ----------
    shape : ShapeLike
        Payload.
    depth : int
        Rows of the memory, a power of two, at least 2.
    name : str
        What the inventory calls the memory.

    Members
    -------
    i : In(stream(shape)), o : Out(stream(shape))
        The stream.
    busy : Out(1)
        It is not empty.

    Raises
    ------
    ValueError
        If ``depth`` is out of range.
    """

    latency = 2

    def __init__(self, shape, *, depth: int, name: str):
        if not isinstance(depth, int) or depth < 2 or depth & (depth - 1):
            raise ValueError(f"depth must be a power of two of at least 2, not {depth!r}")
        self._shape = shape
        self._depth = depth
        self._name = name
        # The proofs look at these.
        self._level = Signal(range(depth + 1), name="level")
        self._write, self._read = (
            Signal(range(depth), name="write"),
            Signal(range(depth), name="read"),
        )
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "busy": Out(1),
            }
        )

    @property
    def depth(self) -> int:
        return self._depth

    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = RAM(
            depth=self._depth,
            width=Shape.cast(self._shape).width,
            style="distributed" if self._depth <= LUT_RAM_ROWS else "block",
            name=self._name,
        )
        level = self._level
        push = Signal()
        pull = Signal()
        m.d.comb += [
            self.i.ready.eq(~level[-1]),
            self.busy.eq((level != 0) | self.o.valid),
            push.eq(self.i.valid & self.i.ready),
            pull.eq((level != 0) & (~self.o.valid | self.o.ready)),
            rows.w_en.eq(push),
            rows.w_data.eq(self.i.payload),
            rows.r_en.eq(pull),
            Value.cast(self.o.payload).eq(rows.r_data),
        ]
        m.d.sync += level.eq(counted(level, push, pull))
        m.d.sync += [self._write.eq(self._write + push), self._read.eq(self._read + pull)]
        m.d.comb += [rows.w_addr.eq(self._write), rows.r_addr.eq(self._read)]
        with m.If(pull):
            m.d.sync += self.o.valid.eq(1)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
