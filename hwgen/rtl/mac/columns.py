"""What units that fuse narrow products share: held facts of a mode, and sums of columns."""

from collections.abc import Sequence

from amaranth import *
from amaranth.utils import ceil_log2

from .base import Mac
from .steps import by_mode

__all__ = ["add_columns", "adding_latency", "choose", "delayed", "held"]

LEVELS_PER_STAGE = 2
"""Adders between two registers."""


def held(m: Module, mac: Mac, values: Sequence[bool], name: str) -> Value:
    """What is true of a mode, from the start on; a constant where it is of all modes or none."""
    now = by_mode(m, mac.mode_code, list(map(int, values)), f"{name}_now")
    if isinstance(now, Const):
        return now
    value = Signal(name=name, reset_less=True)
    with m.If(mac.i_start):
        m.d.sync += value.eq(now)
    return value


def delayed(m: Module, value: Value, cycles: int, name: str, *, reset_less: bool = True) -> Value:
    """A bit some cycles later."""
    if isinstance(value, Const):
        return value
    for n in range(cycles):
        later = Signal(name=f"{name}_after{n + 1}", reset_less=reset_less)
        m.d.sync += later.eq(value)
        value = later
    return value


def choose(condition: Value, true: Value, false: Value) -> Value:
    """A multiplexer, or none where the condition is known."""
    if isinstance(condition, Const):
        return true if condition.value else false
    return Mux(condition, true, false)


def adding_latency(columns: int) -> int:
    """Latency of :func:`add_columns` for so many of them."""
    return -(-ceil_log2(columns) // LEVELS_PER_STAGE)


def add_columns(
    m: Module, terms: list[Value], apart: list[Value], *, width: int
) -> tuple[Value, int]:
    """The sum of columns, each at its place in a room, and its latency.

    Parameters
    ----------
    terms
        A signed number for each column, with room for any product of operands of ``width`` bits, so
        that a sum needs no bit more than wider products do.
    apart
        For n = 0, 1, …: whether columns that differ in bit n of their number differ in place.
    width
        Bits from one place to the next.
    """
    latency = 0
    for n in range(len(apart)):
        registered = n % LEVELS_PER_STAGE == LEVELS_PER_STAGE - 1 or len(terms) == 2
        sums = []
        for pair, (low, high) in enumerate(zip(terms[::2], terms[1::2], strict=True)):
            placed = choose(apart[n], high << (width << n), high)
            shape = signed(len(low) + (width << n))
            total = Signal(shape, name=f"columns{n}_{pair}", reset_less=True)
            m.d["sync" if registered else "comb"] += total.eq(low + placed)
            sums.append(total)
        terms = sums
        if registered:
            latency += 1
            apart = [delayed(m, value, 1, f"apart{k}_stage{n}") for k, value in enumerate(apart)]
    return terms[0], latency
