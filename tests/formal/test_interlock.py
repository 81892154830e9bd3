"""However rows follow one another, each sum is the sum of its products."""

import pytest
from amaranth import *
from amaranth.asserts import AnyConst
from amaranth.hdl import Assert

from hwgen.config import load
from hwgen.rtl.group import sum_bank
from hwgen.rtl.group.accumulators import Accumulators
from hwgen.rtl.group.interlock import Interlock
from hwgen.rtl.group.layouts import row_operation

from .proof import WatchedRAM, prove

SUM_BITS = 18
BEFORE_READ = 2
"""Cycles from the issue to the read. Any number will do: the harness has to flush its pipeline."""


class InterlockHarness(Elaboratable):
    """Interlock and accumulators, any rows in any order at any time, free products.

    A row may come to be next in any cycle, and is issued when it wants to and the interlock does
    not object. One row of one bank, any of them, is followed: its memory always holds what a
    machine would have that reads, adds and writes in a single cycle.
    """

    def __init__(self, *, distance):
        self.config = load(
            "tiny",
            {
                "array.engines": 1,
                "array.group": 1,
                "array.slots": 1,
                "array.rows": 16,
                "array.gated": False,
            },
        )
        self.interlock = Interlock(5, distance=distance)
        self.sums = Accumulators(self.config, sum_bits=SUM_BITS)
        self.take = Signal()
        self.wants = Signal()
        self.row = Signal(4)
        self.bank = Signal()
        self.first = Signal()
        self.product = Signal(signed(SUM_BITS))
        self.inputs = [self.take, self.wants, self.row, self.bank, self.first, self.product]

    def elaborate(self, platform):
        m = Module()
        sums = self.sums
        m.submodules.interlock = interlock = self.interlock
        WatchedRAM.made.clear()
        m.submodules.sums = Fragment.get(sums, platform)
        memories = list(WatchedRAM.made)

        following = Signal(row_operation(self.config))  # the row that is next, if ``some``
        issued = Signal.like(following)
        m.d.comb += [
            interlock.row.eq(Cat(self.row, self.bank)),
            interlock.take.eq(self.take),
            interlock.issue.eq(following.some & self.wants & ~interlock.conflict),
        ]
        with m.If(interlock.issue):
            m.d.comb += issued.eq(following)
            m.d.sync += following.some.eq(0)
        with m.If(self.take):
            m.d.sync += [
                following.some.eq(1),
                following.row.eq(self.row),
                following.bank.eq(self.bank),
                following.first.eq(self.first),
            ]
        operation = issued
        for n in range(BEFORE_READ):
            delayed = Signal(row_operation(self.config), name=f"operation{n}")
            m.d.sync += delayed.eq(operation)
            operation = delayed
        m.d.comb += [sums.operation.eq(operation), sums.products[0].eq(self.product)]

        # The machine of one cycle, at the time of the write.
        row, bank = Signal(4), Signal()
        m.d.comb += [row.eq(AnyConst(4)), bank.eq(AnyConst(1))]
        truth, product = Signal(signed(32)), Signal(signed(SUM_BITS))
        written = sums.written
        m.d.sync += product.eq(self.product)
        with m.If(written.some & (written.row == row) & (written.bank == bank)):
            m.d.sync += truth.eq(Mux(written.first, 0, truth) + product)

        with m.If(following.some):
            m.d.comb += Assert(interlock._next == Cat(following.row, following.bank))
        for n, memory in enumerate(memories):
            m.d.comb += memory.watched_row.eq(row)
            with m.If(bank == n):
                m.d.comb += Assert(memory.watched == truth.as_unsigned())
        return m


def proof(folder, *, distance):
    harness = InterlockHarness(distance=distance)
    return prove(harness, inputs=harness.inputs, depth=BEFORE_READ + 9, folder=folder)


@pytest.fixture(autouse=True)
def watched(monkeypatch):
    monkeypatch.setattr(sum_bank, "RAM", WatchedRAM)


def test_sums_are_sums(tmp_path):
    assert proof(tmp_path, distance=Accumulators.distance)


def test_proof_can_fail(tmp_path):
    """One cycle less is found out, so ``distance`` is no larger than it has to be."""
    assert not proof(tmp_path, distance=Accumulators.distance - 1)
