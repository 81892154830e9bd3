"""The queue of vectors loses, doubles and reorders nothing."""

import pytest
from amaranth import *
from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Assume

from hwgen.rtl.group import queue

from .proof import WatchedRAM, prove

WIDTH = 4


class QueueHarness(Elaboratable):
    """Follows one vector, any vector, pushed at any time, from the push to the pop.

    ``ahead`` counts the vectors before it: those that were there when it was pushed, less those
    popped since. When it is the oldest it must be at head 0, when it is the next at head 1. The
    invariant behind it: the memories hold it ``ahead`` places behind the oldest.
    """

    def __init__(self, *, depth, heads):
        self.heads = heads
        self.dut = queue.VectorQueue(depth=depth, width=WIDTH, heads=heads)
        self.chosen = Signal()  # follow the vector that is pushed in this cycle
        self.inputs = [self.dut.push, self.dut.data, self.dut.pops, self.chosen]

    def elaborate(self, platform):
        m = Module()
        dut = self.dut
        WatchedRAM.made.clear()
        m.submodules.dut = Fragment.get(dut, platform)
        memories = list(WatchedRAM.made)
        m.d.comb += Assume(dut.pops <= dut.level)
        m.d.comb += Assume(dut.pops <= self.heads)

        value = Signal(WIDTH)
        m.d.comb += value.eq(AnyConst(WIDTH))
        followed = Signal()
        ahead = Signal.like(dut.level)
        starts = Signal()
        m.d.comb += starts.eq(self.chosen & dut.push & dut.ready & ~followed)
        m.d.comb += Assume(~starts | (dut.data == value))
        with m.If(starts):
            m.d.sync += [followed.eq(1), ahead.eq(dut.level - dut.pops)]
        with m.Elif(followed):
            m.d.sync += ahead.eq(ahead - dut.pops)
            with m.If(dut.pops > ahead):
                m.d.sync += followed.eq(0)

        # What must hold.
        m.d.comb += Assert(dut.level <= dut.depth)
        m.d.comb += Assert(dut.ready == (dut.level < dut.depth))
        m.d.comb += Assert(dut.some == (dut.level >= 1))
        if self.heads == 2:
            m.d.comb += Assert(dut.two == (dut.level >= 2))
        with m.If(followed):
            m.d.comb += Assert(ahead < dut.level)
            with m.If(ahead == 0):
                m.d.comb += Assert(dut.head0 == value)
            if self.heads == 2:
                with m.If(ahead == 1):
                    m.d.comb += Assert(dut.head1 == value)

        # Why it holds.
        places = -(-dut.depth // self.heads) * self.heads
        read, write = dut._read, dut._write
        m.d.comb += Assert((read < places) & (write < places))
        m.d.comb += Assert((read + dut.level) % places == write)
        place = Signal(8)
        m.d.comb += place.eq((read + ahead) % places)
        for n, memory in enumerate(memories):
            m.d.comb += memory.watched_row.eq(place >> (self.heads - 1))
            mine = place[0] == n if self.heads == 2 else 1
            with m.If(followed & mine):
                m.d.comb += Assert(memory.watched == value)
        return m


def proof(folder, *, depth, heads):
    harness = QueueHarness(depth=depth, heads=heads)
    return prove(harness, inputs=harness.inputs, depth=3, folder=folder)


@pytest.fixture
def watched(monkeypatch):
    monkeypatch.setattr(queue, "RAM", WatchedRAM)


@pytest.mark.parametrize(("depth", "heads"), [(2, 1), (5, 1), (2, 2), (3, 2), (4, 2)])
def test_order_is_kept(watched, tmp_path, depth, heads):
    assert proof(tmp_path, depth=depth, heads=heads)


def test_proof_can_fail(watched, tmp_path, monkeypatch):
    """A queue that takes one vector too many is found out."""
    monkeypatch.setattr(queue.VectorQueue, "depth", property(lambda self: self._depth - 1))
    assert not proof(tmp_path, depth=4, heads=2)
