"""Which step of which start a stage of a dot product unit works on."""

from collections.abc import Sequence

from amaranth import *

__all__ = ["StepCounter", "by_mode"]


def by_mode(m: Module, mode: Value | None, values: Sequence[int], name: str) -> Value:
    """The value of a mode; a constant where all have the same one."""
    if len(set(values)) == 1:
        return Const(values[0], max(1, values[0].bit_length()))
    result = Signal(range(max(values) + 1), name=name)
    with m.Switch(mode):
        for code, value in enumerate(values[:-1]):
            with m.Case(code):
                m.d.comb += result.eq(value)
        with m.Default():
            m.d.comb += result.eq(values[-1])
    return result


class StepCounter:
    """Steps that are still to come: a one in each bit, shifted out.

    Attributes
    ----------
    running, first, more
        This cycle is a step, the first one of a start, not the last one.
    """

    def __init__(self, m: Module, start: Value, mode: Value | None, steps: Sequence[int]):
        pending = Signal(max(steps))
        self.first = Signal(reset_less=True)
        self.running = pending[0]
        self.more = pending[1] if len(pending) > 1 else Const(0)
        m.d.sync += [pending.eq(pending >> 1), self.first.eq(start)]
        loaded = by_mode(m, mode, [(1 << n) - 1 for n in steps], "steps_loaded")
        with m.If(start):
            m.d.sync += pending.eq(loaded)
