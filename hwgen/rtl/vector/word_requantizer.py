"""Requantization of whole words, one lane after the other."""

from amaranth import *
from amaranth.hdl import signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ..drain.records import path_layout
from ..drain.requantizer import Requantizer
from .window_reducer import SUM_BITS, reduced_layout

__all__ = ["WordRequantizer"]


class WordRequantizer(wiring.Component):
    """One :class:`Requantizer` for the R lanes of a word: a word in R cycles, the next taken in
    the last of them.

    Results have no flow control: whoever feeds it has room for what comes out.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    i : In(stream(reduced_layout))
        Sums, and the bytes of the second operand.
    record : In(path_layout)
        The parameters (of the full path). This and the following: constant while there are words.
    addition : In(1)
        Whether ``second`` counts.
    low, high : In(signed(9))
        Clamp.
    o_valid, o : Out
        Words of bytes.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(reduced_layout(config))),
                "record": In(path_layout(config)),
                "addition": In(1),
                "low": In(signed(9)),
                "high": In(signed(9)),
                "o_valid": Out(1),
                "o": Out(config.vector_bits),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from taking a word to its result."""
        return self._config.array.lanes + Requantizer.latency + 1

    def elaborate(self, platform):
        m = Module()
        config, lanes = self._config, self._config.array.lanes
        m.submodules.requantizer = requantizer = Requantizer(
            multiplier_bits=config.drain.multiplier_bits, shift_max=config.drain.shift_max
        )
        left = Signal(range(lanes + 1))
        values = Signal(lanes * SUM_BITS, reset_less=True)
        second = Signal(lanes * 9, reset_less=True)
        m.d.comb += self.i.ready.eq(left <= 1)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                left.eq(lanes),
                values.eq(Cat(self.i.payload["values"])),
                second.eq(Cat(self.i.payload.second)),
            ]
        with m.Else():
            m.d.sync += [values.eq(values >> SUM_BITS), second.eq(second >> 9)]
            with m.If(left != 0):
                m.d.sync += left.eq(left - 1)
        operands = requantizer.i
        m.d.comb += [
            operands.acc.eq(values[:SUM_BITS].as_signed()),
            operands.multiplier.eq(self.record.multiplier),
            operands.bias.eq(self.record.bias),
            operands.shift.eq(self.record.shift),
            operands.residual.eq(second[:9].as_signed() & self.addition.replicate(9).as_signed()),
            operands.residual_multiplier.eq(self.record.residual_multiplier),
            requantizer.low.eq(self.low),
            requantizer.high.eq(self.high),
        ]

        # Bytes come in from above, so that after R of them lane 0 is the lowest. One that belongs
        # to no word is pushed out by the R of the next.
        last = left == 1
        for n in range(requantizer.latency + 1):
            previous, last = last, Signal(name=f"last_{n}")
            m.d.sync += last.eq(previous)
        m.d.sync += self.o.eq(Cat(self.o[8:], requantizer.o[:8]))
        m.d.comb += self.o_valid.eq(last)
        return m
