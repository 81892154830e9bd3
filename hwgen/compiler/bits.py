"""Numbers of any width on an array that multiplies -1 and 1 only.

Bit i of an activation is a plane of its own: as s, -1 or 1, it counts 2**i / 2, and what all bits
lack or have too much is a constant. Bits of a weight are passes of their own. A pass counts
2**sum_shift, and the sums of a layer are two or four times the true ones, and a constant.

A product with zero is two products, with 1 and with -1. The same goes for lanes that an output does
not see; lanes that hold zeros, that is -1, add a constant.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .layer import Convolution, How, Part
from .operands import Operands
from .sums import Sums, with_sums
from .tensors import Slice

__all__ = ["BitPlan"]

SHIFT_MOST = 7  # of PASS.sum_shift
FEW = 2  # bits of weights that are -1, 0 or 1


@dataclass(frozen=True)
class _Bit:
    """A bit of the activations, which counts ``worth`` times the code."""

    number: int
    negative: bool
    conditional: bool

    @property
    def worth(self) -> int:
        return -(1 << self.number) if self.negative else 1 << self.number


@dataclass(frozen=True)
class BitPlan:
    """How a layer of such ``operands`` is multiplied in words of ``lanes`` bits.

    Raises
    ------
    ValueError
        If the bits of a product count more than a pass can say.
    """

    lanes: int
    operands: Operands

    def __post_init__(self):
        own = self.operands
        bits = 0 if own.weights <= FEW else own.weights - 1
        if own.activations - 1 + bits > SHIFT_MOST:
            raise ValueError(f"{own}; array.modes has 1x1")

    @property
    def slices(self) -> tuple[Slice, ...]:
        """What the input must be packed to: bit after bit."""
        return tuple(Slice(bit.number, 1, 1) for bit in self._bits())

    def _bits(self) -> list[_Bit]:
        """The bits, those of the base pass first."""
        own = self.operands
        low = own.activations - (own.high_bits or own.activations)
        numbers = [*range(low, own.activations), *range(low)]
        sign = own.activations - 1 if own.signed and not own.bipolar else None
        return [_Bit(n, n == sign, n < low) for n in numbers]

    def apply(self, layer: Convolution, used: int) -> Convolution:
        """The layer with its products made in this way; its input must be packed to the
        ``slices``, and beyond ``used`` lanes nothing but zeros.
        """
        gate = layer.gate
        base = layer.sees if gate is None or gate.base is None else gate.base
        fields = [(bit, base, bit.conditional) for bit in self._bits()]
        if not np.array_equal(base, layer.sees):
            fields += [(bit, layer.sees & ~base, True) for bit in self._bits()]
        fields = [
            (bit, layer.weights * chosen[..., None, None].astype(np.int8), chosen, conditional)
            for bit, chosen, conditional in fields
            if chosen.any()
        ]
        zeros = (self._zeros(*field[1:3], used).any() for field in fields)
        share = 2 if self.operands.weights > FEW or any(zeros) else 1
        parts: list[Part] = []
        offsets = {False: 0, True: 0}
        for bit, weights, chosen, conditional in fields:
            covered = self._covered(chosen)
            made = np.zeros(weights.shape, np.int64)
            for signs, shift, planes in self._signs(weights, chosen, share, used):
                lanes = covered & np.repeat(planes, self.lanes)
                parts.append(
                    self._part(layer, replace(bit, conditional=conditional), signs, shift, lanes)
                )
                made += (signs.astype(np.int64) << shift) * lanes[..., None, None]
            # Lanes of zeros, that is -1; and what the bits of a number lack.
            offset = made[:, used:].sum((1, 2, 3))
            if not self.operands.bipolar:
                offset = offset + share * weights.sum((1, 2, 3), dtype=np.int64)
            offsets[conditional] += bit.worth * offset
        layer = replace(layer, parts=tuple(parts))
        _check(layer)
        share *= 1 if self.operands.bipolar else 2
        full = Sums(1, share, offsets[False] + offsets[True])
        return with_sums(layer, Sums(1, share, offsets[False] + 0), full)

    def _covered(self, chosen: np.ndarray) -> np.ndarray:
        """(output, lane): all lanes of the planes in which an output has chosen one."""
        planes = chosen.reshape(len(chosen), -1, self.lanes).any(2)
        return np.repeat(planes, self.lanes, axis=1)

    def _zeros(self, weights: np.ndarray, chosen: np.ndarray, used: int) -> np.ndarray:
        """Weights of zero that meet something."""
        zeros = (weights == 0) & self._covered(chosen)[..., None, None]
        zeros[:, used:] = False
        return zeros

    def _signs(
        self, weights, chosen, share: int, used: int
    ) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
        """Signs whose sum, each times two to the power of its shift, is ``share`` times the
        weights; and the planes (of lanes) that they are for. Unused lanes have any sign.
        """
        planes = weights.shape[1] // self.lanes
        every = np.ones(planes, bool)
        fill = np.ones(weights.shape, np.int8)
        fill[:, 1::2] = -1
        if self.operands.weights > FEW:
            last = self.operands.weights - 1
            for n in range(last + 1):
                sign = (2 * (weights.astype(np.int64) >> n & 1) - 1).astype(np.int8)
                yield -sign if n == last else sign, n, every
            yield np.full_like(fill, -1), 0, every
            return
        zero = self._zeros(weights, chosen, used)
        signs = np.where(weights == 0, fill, weights)
        if share == 1:
            yield signs, 0, every
            return
        twice = zero.any((0, 2, 3)).reshape(planes, self.lanes).any(1)
        yield signs, 1, ~twice
        yield signs, 0, twice
        yield np.where(zero, -signs, signs), 0, twice

    def _part(self, layer: Convolution, bit: _Bit, signs, shift: int, lanes) -> Part:
        place = [b.number for b in self._bits()].index(bit.number) * layer.input.slice_planes
        how = How(conditional=bit.conditional, sum_shift=bit.number + shift)
        planes = range(place, place + layer.input.slice_planes)
        return Part(how, planes, -signs if bit.negative else signs, lanes)


def _check(layer: Convolution) -> None:
    """Sums of 32 bits hold everything."""
    most = sum(
        int(np.abs(part.weights).sum((1, 2, 3), dtype=np.int64).max()) << part.how.sum_shift
        for part in layer.parts
    )
    if most >> 31:
        raise ValueError(f"sums of bits reach {most}, at most {(1 << 31) - 1} fits")
