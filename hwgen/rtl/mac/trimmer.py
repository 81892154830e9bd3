"""Fewer steps for vectors of small numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .base import OPERAND_BITS
from .mode import Mode

if TYPE_CHECKING:
    from ...config import Config

__all__ = ["PlaneCounter", "PlaneTrimmer", "spare_planes", "trim_needs"]

PLANES = OPERAND_BITS - 1  # that can be left out at most


def trim_needs(config: Config) -> str | None:
    """What ``array.trim_planes`` needs that a configuration lacks."""
    array = config.array
    modes = [Mode.parse(text) for text in array.modes]
    if array.mac != "serial" or array.gated:
        return "false unless array.mac = serial and array.gated = false"
    if len(modes) < 2 or any(mode.activations > OPERAND_BITS for mode in modes):
        return "false unless array.modes has several, of activations of up to 8 bits"
    return None


spare_planes = data.StructLayout({"unsigned": 3, "signed": 3})
"""Upper bit planes of a vector that need no step if it is unsigned, and if it is signed."""


class PlaneCounter(wiring.Component):
    """Counts the upper bit planes of a vector of bytes that are zeros, or copies of the sign below
    it, in all lanes. Combinational.

    Members
    -------
    i : In(8 * lanes)
        The vector.
    o : Out(spare_planes)
        Up to 7 of either.
    """

    def __init__(self, *, lanes: int):
        self._lanes = lanes
        super().__init__({"i": In(OPERAND_BITS * lanes), "o": Out(spare_planes)})

    @staticmethod
    def model(values: Sequence[int], signed: bool) -> int:
        """The number for bytes as they are stored."""
        ones = 0
        for value in values:
            ones |= (value ^ 255 if signed and value & 128 else value) << signed
        return min(PLANES, OPERAND_BITS - (ones & 255).bit_length())

    def elaborate(self, platform):
        m = Module()
        lanes = [self.i.word_select(n, OPERAND_BITS) for n in range(self._lanes)]
        # Where a bit is set, or differs from the sign, in any lane.
        ones = others = Const(0, OPERAND_BITS)
        for lane in lanes:
            ones = ones | lane
            others = others | (lane ^ lane[-1].replicate(OPERAND_BITS))
        for name, planes in (("unsigned", ones), ("signed", others << 1)):
            for spare in range(1, OPERAND_BITS):
                with m.If(~planes[OPERAND_BITS - spare : OPERAND_BITS].any()):
                    m.d.comb += self.o[name].eq(spare)
        return m


class PlaneTrimmer(wiring.Component):
    """The mode of a bit-serial unit that leaves out as many of a vector's upper planes as it can,
    and the vector where that mode has it. Combinational; once for all the units that get a vector.

    Parameters
    ----------
    lanes : int
        Bytes of a vector.
    modes : sequence of Mode
        Those of the unit, of activations of up to 8 bits.

    Members
    -------
    i_mode : In, i_signed : In(1)
        What the vector is multiplied in.
    i_planes : In(spare_planes)
        Of a :class:`PlaneCounter`.
    i_activations : In(8 * lanes), o_activations : Out(8 * lanes)
        The vector, at the top of its bytes.
    o_mode : Out
        The mode with the fewest steps that holds it.
    """

    def __init__(self, *, lanes: int, modes: Sequence[Mode]):
        self._lanes, self._modes = lanes, tuple(modes)
        code = ceil_log2(len(self._modes))
        super().__init__(
            {
                "i_mode": In(code),
                "i_signed": In(1),
                "i_planes": In(spare_planes),
                "i_activations": In(OPERAND_BITS * lanes),
                "o_mode": Out(code),
                "o_activations": Out(OPERAND_BITS * lanes),
            }
        )

    @staticmethod
    def model(modes: Sequence[Mode], mode: int, planes: int) -> int:
        """The number of the mode for a vector with so many planes to spare."""
        bits = max(1, modes[mode].activations - planes)
        holding = [n for n, other in enumerate(modes) if other.activations >= bits]
        return min(holding, key=lambda n: (modes[n].activations, n != mode, n))

    def elaborate(self, platform):
        m = Module()
        planes, up = Signal(3), Signal(3)
        m.d.comb += planes.eq(Mux(self.i_signed, self.i_planes.signed, self.i_planes.unsigned))
        with m.Switch(self.i_mode):
            for number, mode in enumerate(self._modes):
                with m.Case(number), m.Switch(planes):
                    for spare in range(PLANES + 1):
                        chosen = self.model(self._modes, number, spare)
                        left_out = mode.activations - self._modes[chosen].activations
                        with m.Case(spare):
                            m.d.comb += [self.o_mode.eq(chosen), up.eq(left_out)]
        for n in range(self._lanes):
            lane = self.i_activations.word_select(n, OPERAND_BITS)
            m.d.comb += self.o_activations.word_select(n, OPERAND_BITS).eq(lane << up)
        return m
