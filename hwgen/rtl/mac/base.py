"""The contract of a dot product unit."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from amaranth.hdl import Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .mode import Mode, Placement

__all__ = ["Mac"]

OPERAND_BITS = 8


class _ComponentMeta(type(ABC), type(wiring.Component)):
    """Lets a component have abstract members."""


class Mac(wiring.Component, ABC, metaclass=_ComponentMeta):
    """Dot product of activations with as many weights, a fixed latency later.

    A vector is ``8 * lanes`` bits of either, whatever the widths of the operands in it. A start is
    in one of the unit's ``modes``: widths of its operands, which say how many there are
    (:meth:`lanes_in`), how they lie in the vector (:meth:`activations_in`, :meth:`weights_in`) and
    how many cycles the unit is taken (:meth:`steps_in`). A start may be in another mode than the
    one before.

    A unit registers its operands at the start, so they need to be there in that cycle only. After a
    start in mode m the next is at least ``steps_in(m)`` cycles later; any number may be under way.
    No backpressure. Sums come as many cycles after the last of these steps as in any other mode, so
    a step less is a cycle earlier (:meth:`latency_in`), and they keep their order. Results are
    exact.

    An idle unit does not toggle: operands are taken with ``i_start`` only.

    Parameters
    ----------
    lanes : int
        Bytes of a vector, a power of two, at least 2.
    modes : iterable of Mode
        What the unit must be able to do; its code is a mode's place here. None: ``MODES``.

    Members
    -------
    i_start : In(1)
        Operands are valid.
    i_mode : In
        Code of the mode; only where there are several.
    i_activations : In(8 * lanes)
        Lane 0 in the low bits.
    i_signed : In(1)
        Activations are two's complement; else unsigned.
    i_weights : In(8 * lanes)
        Two's complement.
    o_sum : Out(signed(sum_bits))
        The dot product; undefined in other cycles.

    Raises
    ------
    ValueError
        If ``lanes`` is out of range, or a mode is not one that this kind of unit can do.
    """

    MODES: tuple[Mode, ...] = (Mode(OPERAND_BITS, OPERAND_BITS),)
    """What a unit does if nothing is said."""

    CAN = "8x8"
    """The modes that there can be, in words."""

    BRICK = OPERAND_BITS
    """Bits to which narrower operands are rounded up."""

    def __init__(self, *, lanes: int, modes: Iterable[Mode] | None = None):
        if not isinstance(lanes, int) or lanes < 2 or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two of at least 2, not {lanes!r}")
        self._lanes = lanes
        self._modes = self.MODES if modes is None else tuple(modes)
        if not self._modes or len(set(self._modes)) < len(self._modes):
            raise ValueError(f"modes must be different, and at least one, not {self._modes!r}")
        for mode in self._modes:
            if not self.can(mode):
                raise ValueError(f"modes of a {type(self).__name__} cannot be {mode}")
        members = {
            "i_start": In(1),
            "i_mode": In(ceil_log2(len(self._modes))),
            "i_activations": In(OPERAND_BITS * lanes),
            "i_signed": In(1),
            "i_weights": In(OPERAND_BITS * lanes),
            "o_sum": Out(signed(self.sum_bits)),
        }
        if len(self._modes) == 1:
            del members["i_mode"]
        super().__init__(members)

    @property
    def lanes(self) -> int:
        return self._lanes

    @property
    def modes(self) -> tuple[Mode, ...]:
        return self._modes

    @property
    def packs(self) -> bool:
        """Whether activations of some mode do not lie in a vector byte by byte."""
        return any(
            self.room_in(mode) < OPERAND_BITS or self.activations_in(mode).copies > 1
            for mode in self._modes
        )

    @property
    def aligns(self) -> bool:
        """Whether activations of some mode are not at the low end of their room."""
        return any(self.activations_in(mode).offset for mode in self._modes)

    @property
    def spreads(self) -> bool:
        """Whether weights of some mode are narrower than their room."""
        return any(mode.weights < self.room_in(mode) for mode in self._modes)

    @property
    def mode_code(self) -> Value | None:
        """``i_mode``, or None where there is nothing to choose."""
        return self.i_mode if len(self._modes) > 1 else None

    @property
    def sum_bits(self) -> int:
        """Bits of the widest dot product.

        One product needs the bits of both operands (-128 * 255 fits 16), each doubling one more.
        """
        return max(
            mode.activations + mode.weights + ceil_log2(self.lanes_in(mode)) for mode in self._modes
        )

    @property
    def latency(self) -> int:
        """Cycles from ``i_start`` to ``o_sum`` in the mode with the most steps."""
        return self.latency_of(self._lanes, self._modes)

    @classmethod
    def latency_of(cls, lanes: int, modes: Iterable[Mode] | None = None) -> int:
        """``latency`` of a unit with so many lanes, for those who have none; at least 2."""
        modes = cls.MODES if modes is None else tuple(modes)
        return cls.depth_of(lanes, modes) + max(map(cls.steps_in, modes)) - 1

    @property
    def interval(self) -> int:
        """Most steps of any mode: starts so far apart are right in all of them."""
        return max(map(self.steps_in, self._modes))

    def latency_in(self, mode: Mode) -> int:
        """Cycles from ``i_start`` to ``o_sum`` in a mode."""
        return self.latency - self.interval + self.steps_in(mode)

    def lanes_in(self, mode: Mode) -> int:
        """Length of the dot product in a mode."""
        return OPERAND_BITS * self._lanes // self.room_in(mode)

    def mode_for(self, activations: int, weights: int) -> Mode:
        """The fastest mode whose operands hold numbers of so many bits.

        Raises
        ------
        ValueError
            If there is none; it says which modes there are.
        """
        holding = [
            mode
            for mode in self._modes
            if activations <= mode.activations and weights <= mode.weights
        ]
        if not holding:
            modes = ", ".join(map(str, self._modes))
            raise ValueError(f"no mode holds {activations}x{weights} bits; there are {modes}")
        return min(holding, key=lambda mode: self.steps_in(mode) / self.lanes_in(mode))

    @classmethod
    def room_in(cls, mode: Mode) -> int:
        """Bits of a vector that an operand has for itself."""
        return max(cls.BRICK, mode.room)

    @classmethod
    @abstractmethod
    def can(cls, mode: Mode) -> bool:
        """Whether such a unit can have this mode."""

    @classmethod
    @abstractmethod
    def depth_of(cls, lanes: int, modes: tuple[Mode, ...]) -> int:
        """Cycles from the last step of a start to its sum."""

    @classmethod
    def steps_in(cls, mode: Mode) -> int:
        """Cycles from a start in this mode to the earliest next one."""
        return 1

    def activations_in(self, mode: Mode) -> Placement:
        """How activations lie in a vector."""
        room = self.room_in(mode)
        return Placement(self.lanes_in(mode), room, room)

    def weights_in(self, mode: Mode) -> Placement:
        """How weights lie in a vector."""
        room = self.room_in(mode)
        return Placement(self.lanes_in(mode), room, room)

    @staticmethod
    def model(activations: Sequence[int], weights: Sequence[int], signed: bool) -> int:
        """The dot product of bytes: activations as stored (0 to 255), weights as numbers."""
        values = (a - 256 if signed and a >= 128 else a for a in activations)
        return sum(a * w for a, w in zip(values, weights, strict=True))

    def model_in(self, mode: Mode, activations: int, weights: int, signed: bool) -> int:
        """The dot product of two vectors as the unit gets them."""
        pairs = zip(
            self.activations_in(mode).unpack(activations, signed),
            self.weights_in(mode).unpack(weights, True),
            strict=True,
        )
        return sum(a * w for a, w in pairs)
