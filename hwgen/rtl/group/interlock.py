"""No row is read between the read and the write of an older one with the same number."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Interlock"]


class Interlock(wiring.Component):
    """Compares a row that wants to be issued with those issued in the last cycles.

    Every row is read the same number of cycles after its issue, and written a fixed number of
    cycles after that. So how long ago a row was issued is all that one has to know, however long
    the pipeline: a row may be issued when none of the last ``distance - 1`` cycles issued it.

    Parameters
    ----------
    shape
        Shape of a row's number, its bank included.
    distance : int
        Cycles from the read of a row to the first cycle that reads what was written.

    Members
    -------
    row : In(shape)
        The row that wants to be issued.
    issue : In(1)
        It is issued in this cycle.
    conflict : Out(1)
        It must wait. Depends on ``row`` and on registers.
    """

    def __init__(self, shape, *, distance: int):
        self._shape = shape
        self._distance = distance
        super().__init__({"row": In(shape), "issue": In(1), "conflict": Out(1)})

    def elaborate(self, platform):
        m = Module()
        row, issued = self.row, self.issue
        same = []
        for age in range(1, self._distance):
            older = Signal(self._shape, name=f"row{age}", reset_less=True)
            older_issued = Signal(name=f"issued{age}")
            m.d.sync += [older.eq(row), older_issued.eq(issued)]
            same.append(older_issued & (older == self.row))
            row, issued = older, older_issued
        m.d.comb += self.conflict.eq(Cat(same).any())
        return m
