"""No row is read between the read and the write of an older one with the same number."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Interlock"]


class Interlock(wiring.Component):
    """Compares the row that is to be issued next with those issued in the last cycles.

    Every row is read the same number of cycles after its issue, and written a fixed number of
    cycles after that. So how long ago a row was issued is all that one has to know, however long
    the pipeline: a row may be issued when none of the last ``distance - 1`` cycles issued it.

    The comparison is made when a row comes to be next, and only grows older afterwards: no other
    row is issued while it waits.

    Parameters
    ----------
    shape
        Shape of a row's number, its bank included.
    distance : int
        Cycles from the read of a row to the first cycle that reads what was written; at least 2.

    Members
    -------
    row : In(shape), take : In(1)
        With ``take``, the row that is next from the next cycle on.
    issue : In(1)
        The row that is next is issued in this cycle.
    conflict : Out(1)
        It must wait. A register.
    """

    def __init__(self, shape, *, distance: int):
        self._shape = shape
        self._distance = distance
        super().__init__({"row": In(shape), "take": In(1), "issue": In(1), "conflict": Out(1)})
        self._next = Signal(shape, name="next", reset_less=True)  # here, where a proof can see it

    def elaborate(self, platform):
        m = Module()
        following = self._next
        with m.If(self.take):
            m.d.sync += following.eq(self.row)

        # Which of the last cycles issued the row that comes to be next: this cycle, the last …
        row, issued = following, self.issue
        same = []
        for age in range(1, self._distance):
            same.append(issued & (row == self.row))
            older = Signal(self._shape, name=f"row{age}", reset_less=True)
            older_issued = Signal(name=f"issued{age}")
            m.d.sync += [older.eq(row), older_issued.eq(issued)]
            row, issued = older, older_issued

        waits = Signal(self._distance - 1)
        m.d.sync += [waits.eq(waits << 1), self.conflict.eq(waits[:-1].any())]
        with m.If(self.take):
            m.d.sync += [waits.eq(Cat(same)), self.conflict.eq(Cat(same).any())]
        return m
