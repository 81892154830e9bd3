"""Fewer steps for vectors of small numbers."""

from collections.abc import Iterable

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .base import OPERAND_BITS
from .mode import Mode

__all__ = ["PlaneTrimmer"]


class PlaneTrimmer(wiring.Component):
    """Finds the shortest mode of a bit-serial unit that holds all numbers of a vector.

    The upper bits of small numbers are zeros, or copies of the sign; where that is so in all lanes,
    these bit planes need no step. The vector is moved up to where the mode has it. Latency 2, a
    vector a cycle, no backpressure. It stands where vectors come from, once for all the units that
    get them.

    Parameters
    ----------
    lanes : int
        Bytes of a vector.
    modes : iterable of Mode
        Those of the unit, one of them with activations of 8 bits.

    Members
    -------
    i_start : In(1)
        There is a vector; otherwise nothing moves.
    i_activations : In(8 * lanes), i_signed : In(1)
        A vector of bytes.
    o_mode : Out
        Code of the mode for the unit.
    o_activations : Out(8 * lanes)
        The vector in that mode.

    Raises
    ------
    ValueError
        If no mode holds every byte.
    """

    latency = 2

    def __init__(self, *, lanes: int, modes: Iterable[Mode]):
        self._lanes = lanes
        self._modes = tuple(modes)
        if OPERAND_BITS not in {mode.activations for mode in self._modes}:
            raise ValueError(f"modes must have one with activations of {OPERAND_BITS} bits")
        super().__init__(
            {
                "i_start": In(1),
                "i_activations": In(OPERAND_BITS * lanes),
                "i_signed": In(1),
                "o_mode": Out(max(1, ceil_log2(len(self._modes)))),
                "o_activations": Out(OPERAND_BITS * lanes),
            }
        )

    @property
    def shortest_first(self) -> list[Mode]:
        """The modes that it chooses from."""
        byte = [mode for mode in self._modes if mode.activations <= OPERAND_BITS]
        return sorted(byte, key=lambda mode: mode.activations)

    def model(self, values: list[int], signed: bool) -> Mode:
        """The mode for these numbers."""
        bits = max((v ^ -1 if v < 0 else v).bit_length() for v in values) + signed
        return next(mode for mode in self.shortest_first if mode.activations >= bits)

    def elaborate(self, platform):
        m = Module()
        lanes = [self.i_activations.word_select(n, OPERAND_BITS) for n in range(self._lanes)]

        # Planes that differ from the one of the sign, in any lane.
        signs = [lane[-1] & self.i_signed for lane in lanes]
        planes = Signal(OPERAND_BITS)
        m.d.comb += [
            planes[b].eq(Cat(lane[b] ^ sign for lane, sign in zip(lanes, signs, strict=True)).any())
            for b in range(OPERAND_BITS)
        ]

        # The last mode that fits counts, so the shortest comes last.
        code, up = Signal.like(self.o_mode), Signal(range(OPERAND_BITS))
        for mode in reversed(self.shortest_first):
            bits = mode.activations
            above = planes[bits:] | Mux(self.i_signed, planes[bits - 1], 0)
            with m.If(~above.any()):
                m.d.comb += [code.eq(self._modes.index(mode)), up.eq(OPERAND_BITS - bits)]

        started = Signal()
        vector = Signal.like(self.i_activations, reset_less=True)
        vector_code = Signal.like(code, reset_less=True)
        vector_up = Signal.like(up, reset_less=True)
        m.d.sync += started.eq(self.i_start)
        with m.If(self.i_start):
            m.d.sync += [vector.eq(self.i_activations), vector_code.eq(code), vector_up.eq(up)]
        with m.If(started):
            m.d.sync += self.o_mode.eq(vector_code)
            m.d.sync += [
                self.o_activations.word_select(n, OPERAND_BITS).eq(
                    vector.word_select(n, OPERAND_BITS) << vector_up
                )
                for n in range(self._lanes)
            ]
        return m
