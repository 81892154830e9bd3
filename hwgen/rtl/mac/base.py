"""The contract of a dot product unit."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from amaranth.hdl import signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = ["Mac"]

OPERAND_BITS = 8


class _ComponentMeta(type(ABC), type(wiring.Component)):
    """Lets a component have abstract members."""


class Mac(wiring.Component, ABC, metaclass=_ComponentMeta):
    """Dot product of ``lanes`` activations with as many weights, a fixed latency later.

    A unit registers its operands at the start, so they need to be there in that cycle only. Starts
    are at least ``interval`` cycles apart, and any number of them may be under way. No
    backpressure. Results are exact: ``sum_bits`` hold every dot product of 8-bit operands.

    An idle unit does not toggle: operands are taken with ``i_start`` only.

    Parameters
    ----------
    lanes : int
        Length of the dot product, a power of two, at least 2.

    Members
    -------
    i_start : In(1)
        Operands are valid.
    i_activations : In(8 * lanes)
        Lane 0 in the low byte.
    i_signed : In(1)
        Activations are two's complement; else unsigned.
    i_weights : In(8 * lanes)
        Two's complement.
    o_sum : Out(signed(sum_bits))
        The dot product, exactly ``latency`` cycles after its start; undefined in other cycles.

    Raises
    ------
    ValueError
        If ``lanes`` is out of range.
    """

    def __init__(self, *, lanes: int):
        if not isinstance(lanes, int) or lanes < 2 or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two of at least 2, not {lanes!r}")
        self._lanes = lanes
        super().__init__(
            {
                "i_start": In(1),
                "i_activations": In(OPERAND_BITS * lanes),
                "i_signed": In(1),
                "i_weights": In(OPERAND_BITS * lanes),
                "o_sum": Out(signed(self.sum_bits)),
            }
        )

    @property
    def lanes(self) -> int:
        return self._lanes

    @property
    def sum_bits(self) -> int:
        """Bits of a dot product: one product needs 16 (-128 * 255 fits), each doubling one more."""
        return 2 * OPERAND_BITS + ceil_log2(self._lanes)

    @property
    def latency(self) -> int:
        """Cycles from ``i_start`` to ``o_sum``."""
        return self.latency_of(self._lanes)

    @staticmethod
    @abstractmethod
    def latency_of(lanes: int) -> int:
        """Latency of a unit with so many lanes, for those who have none; at least 2."""

    @property
    @abstractmethod
    def interval(self) -> int:
        """Cycles from a start to the earliest next one."""

    @staticmethod
    def model(activations: Sequence[int], weights: Sequence[int], signed: bool) -> int:
        """The dot product of bytes: activations as stored (0 to 255), weights as numbers."""
        values = (a - 256 if signed and a >= 128 else a for a in activations)
        return sum(a * w for a, w in zip(values, weights, strict=True))
