"""The performance counters."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...isa.registers import REGISTER_BITS

__all__ = ["PerformanceCounters"]


def _sum(values: list):
    """Of bits, as a balanced tree."""
    while len(values) > 1:
        values = [sum(values[n : n + 2]) for n in range(0, len(values), 2)]
    return values[0]


class PerformanceCounters(wiring.Component):
    """Counts what happens while a program runs; the counts stay readable until the next one starts.

    What happens in a cycle is counted two cycles later, and no later than that.

    Parameters
    ----------
    inputs : dict of str to int
        For each counter the bits of its input.
    amounts : set of str
        Counters whose input is a number to add; other inputs are bits, and the ones among them are
        counted.

    Members
    -------
    clear : In(1), enable : In(1)
    <name>_input : In
        For each counter, in lower case.
    <name> : Out(32)
        Its count.
    """

    def __init__(self, *, inputs: dict[str, int], amounts: set[str]):
        self._inputs = inputs
        self._amounts = amounts
        members = {"clear": In(1), "enable": In(1)}
        for name, bits in inputs.items():
            members[f"{name.lower()}_input"] = In(bits)
            members[name.lower()] = Out(REGISTER_BITS)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        clear = Signal()  # nothing of this program comes for another two cycles
        m.d.sync += clear.eq(self.clear)
        for name in self._inputs:
            happened = getattr(self, f"{name.lower()}_input")
            count = getattr(self, name.lower())
            if name in self._amounts:
                amount = Signal(len(happened), name=f"{name.lower()}_amount")
                ones = happened
            else:
                amount = Signal(bits_for(len(happened)), name=f"{name.lower()}_amount")
                ones = _sum(list(happened))
            m.d.sync += [
                amount.eq(Mux(self.enable, ones, 0)),
                count.eq(Mux(clear, 0, count + amount)),
            ]
        return m
