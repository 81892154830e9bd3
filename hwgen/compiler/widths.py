"""Which modes of the array a layer of some widths runs in, and how its activations must lie."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ..config import Config
from ..rtl.mac import Mac, Mode, facts, shifts_sums
from .bits import BitPlan
from .layer import EVERY_BIT, Convolution, How, Part
from .operands import Operands
from .sums import of_codes
from .tensors import Slice

__all__ = ["Plan", "plan_widths"]

EXPECTED = 0.5  # share of outputs that take the conditional pass, to compare modes by
SHIFT_MOST = 7  # of PASS.sum_shift


@dataclass(frozen=True)
class _Use:
    """A field of the activations in a mode: the fields of the PASS, and of a packed input its
    slice. ``cost`` is in cycles for a product.
    """

    how: How
    lanes: int
    cost: float
    slice: Slice | None = None


@dataclass(frozen=True)
class Plan:
    """How a layer is multiplied: ``uses`` of its fields, high bits first, in words of ``lanes``
    channels. ``slices`` are what the input must be packed to; none: bytes.

    ``whole`` is for the channels that are not in the base pass of a layer with both gatings.
    """

    lanes: int
    uses: tuple[_Use, ...]
    whole: tuple[_Use, ...]
    slices: tuple[Slice, ...]

    def apply(self, layer: Convolution, used: int) -> Convolution:
        """The layer with its products made in this way; its input must be as ``lanes`` and
        ``slices`` say, and beyond ``used`` lanes nothing but zeros.
        """
        gate = layer.gate
        base = layer.sees if gate is None or gate.base is None else gate.base
        parts: list[Part] = []

        def add(use: _Use, chosen: np.ndarray, *, conditional: bool) -> None:
            if not chosen.any():
                return
            count = layer.input.slice_planes
            first = self.slices.index(use.slice) * count if use.slice else 0
            how = replace(use.how, conditional=conditional)
            parts.append(Part(how, range(first, first + count), layer.weights, chosen))

        add(self.uses[0], base, conditional=False)
        for use in self.uses[1:]:
            add(use, base, conditional=True)
        for use in self.whole:
            add(use, layer.sees & ~base, conditional=True)
        layer = replace(layer, parts=tuple(parts))
        return of_codes(layer) if layer.input.bipolar else layer


def plan_widths(config: Config, operands: Operands) -> Plan | BitPlan:
    """The fastest way to multiply such operands.

    Raises
    ------
    ValueError
        If the configuration has no mode for them; it says which there are.
    """
    if any(facts(config).activations_in(mode).bipolar for mode in facts(config).modes):
        return BitPlan(facts(config).lanes_in(facts(config).modes[0]), operands)
    bits, high = operands.activations, operands.high_bits
    signed = operands.signed and not operands.bipolar
    whole = list(_uses(config, operands, 0, bits, signed))
    if high is None:
        plans = [_plan((use,), (use,)) for use in whole]
    else:
        low = bits - high
        upper = list(_uses(config, operands, low, high, signed))
        lower = list(_uses(config, operands, 0, low, False))
        plans = []
        for pair in product(upper, lower):
            if pair[0].slice is None and pair[1].slice is None:
                plans += [_plan(pair, (use,)) for use in whole if use.slice is None]
            elif pair[0].slice and pair[1].slice and pair[0].lanes == pair[1].lanes:
                plans.append(_plan(pair, pair))
    if not plans:
        modes = ", ".join(map(str, facts(config).modes))
        raise ValueError(f"{operands}; array.modes has {modes}")
    return min(plans, key=_cost)


def _plan(uses: tuple[_Use, ...], whole: tuple[_Use, ...]) -> Plan:
    slices = tuple(dict.fromkeys(use.slice for use in uses if use.slice))
    return Plan(uses[0].lanes, uses, whole, slices)


def _cost(plan: Plan) -> tuple[float, int]:
    """Cycles, then what has to be packed."""
    first, *others = (use.cost for use in plan.uses)
    return first + EXPECTED * sum(others), len(plan.slices)


def _uses(config: Config, operands: Operands, low: int, bits: int, signed: bool) -> Iterator[_Use]:
    """The modes that multiply bits ``low`` … of the activations."""
    unit = facts(config)
    top = low + bits == operands.activations
    for number, mode in enumerate(unit.modes):
        places = unit.activations_in(mode)
        if places.bipolar or places.stride > 8 or mode.activations < bits:
            continue
        if not _holds_weights(unit, mode, operands.weights):
            continue
        cost = unit.steps_in(mode) / unit.lanes_in(mode)
        if places.stride == 8 and places.copies == 1:
            # Bytes; narrow operands are taken from the top of a byte or from its low end.
            shift = min(low, places.offset)
            mask = EVERY_BIT & ~((1 << low) - 1) if top else (1 << bits) - 1 << low
            how = How(mask, signed, False, number, max(0, places.offset - low), shift)
            use = _Use(how, unit.lanes_in(mode), cost)
        else:
            width = places.width
            if signed and low + width > 8:
                continue  # a byte has no copies of the sign above
            part = Slice(low, width if signed else bits, places.stride, places.copies)
            how = How(EVERY_BIT, signed, False, number, 0, low)
            use = _Use(how, unit.lanes_in(mode), cost, part)
        if use.how.sum_shift <= (SHIFT_MOST if shifts_sums(config) else 0):
            yield use


def _holds_weights(unit: Mac, mode: Mode, bits: int) -> bool:
    """Whether weights fit; those of one bit, -1 and 1, take two of two's complement."""
    return bits <= mode.weights and max(bits, 2) <= unit.weights_in(mode).width
