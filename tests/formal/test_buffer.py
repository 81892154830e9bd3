"""Buffers of streams keep the stream rules, and lose, double and reorder nothing."""

import pytest
from amaranth import *
from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Assume

from hwgen.rtl.group.buffer import StreamBuffer
from hwgen.rtl.skid import Skid
from hwgen.rtl.stage import Stage
from hwgen.rtl.two_places import TwoPlaces

from .proof import prove

WIDTH = 4


class BufferHarness(Elaboratable):
    """Follows one payload, any of them, from the transfer in to the transfer out."""

    component = StreamBuffer

    def __init__(self, *, forgetful=False):
        self.dut = self.component(WIDTH)
        self.forgetful = forgetful
        self.chosen = Signal()
        dut = self.dut
        self.inputs = [dut.i.payload, dut.i.valid, dut.o.ready, self.chosen]

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        came, went = Signal(), Signal()
        m.d.comb += [came.eq(dut.i.valid & dut.i.ready), went.eq(dut.o.valid & dut.o.ready)]
        if self.forgetful:
            m.d.comb += came.eq(dut.i.valid)
        level = Signal(range(4))
        m.d.sync += level.eq(level + came - went)

        value = Signal(WIDTH)
        m.d.comb += value.eq(AnyConst(WIDTH))
        followed, starts = Signal(), Signal()
        ahead = Signal.like(level)
        m.d.comb += starts.eq(came & self.chosen & ~followed)
        m.d.comb += Assume(~starts | (dut.i.payload == value))
        with m.If(starts):
            m.d.sync += [followed.eq(1), ahead.eq(level - went)]
        with m.Elif(followed & went):
            m.d.sync += [ahead.eq(ahead - 1), followed.eq(ahead != 0)]

        m.d.comb += Assert(dut.o.valid == (level != 0))
        m.d.comb += Assert(dut.i.ready == (level < 2))
        m.d.comb += Assert(level <= 2)
        with m.If(followed):
            m.d.comb += Assert(ahead < level)
            with m.If(ahead == 0):
                m.d.comb += Assert(dut.o.payload == value)
            with m.Else():
                m.d.comb += Assert(self.second() == value)

        self.explain(m, level)
        self.stays(m)
        return m

    def second(self):
        """What goes after what is offered."""
        return self.dut._spare

    def explain(self, m, level):
        """Why all that holds."""

    def follow_one(self, m):
        """Of a single place: the newest payload that came, and whether it has not gone."""
        dut = self.dut
        kept, waits = Signal(WIDTH), Signal()
        came, went = Signal(), Signal()
        m.d.comb += [came.eq(dut.i.valid & dut.i.ready), went.eq(dut.o.valid & dut.o.ready)]
        if self.forgetful:
            m.d.comb += came.eq(dut.i.valid)
        m.d.sync += waits.eq(waits + came - went)
        with m.If(came):
            m.d.sync += kept.eq(dut.i.payload)
        return kept, waits

    def stays(self, m):
        """What is offered stays until it is taken."""
        dut = self.dut
        offered = Signal()
        offer = Signal(WIDTH)
        m.d.sync += [offered.eq(dut.o.valid & ~dut.o.ready), offer.eq(dut.o.payload)]
        with m.If(offered):
            m.d.comb += Assert(dut.o.valid & (dut.o.payload == offer))


class PlacesHarness(BufferHarness):
    component = TwoPlaces

    def second(self):
        return Mux(self.dut._oldest, *self.dut._places)

    def explain(self, m, level):
        m.d.comb += Assert(self.dut._filling == self.dut._oldest ^ level[0])


class SkidHarness(BufferHarness):
    """A payload passes in the cycle in which it comes, or waits in the only place there is, as long
    as ``i`` follows the rules.
    """

    component = Skid

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        kept, waits = self.follow_one(m)
        # What has come and not gone is there, and nothing else.
        m.d.comb += [
            Assert(dut.i.ready == ~waits),
            Assert(dut.waiting == waits),
            Assert(dut.o.valid == (waits | dut.i.valid)),
            Assert(dut.o.payload == Mux(waits, kept, dut.i.payload)),
        ]
        offered, offer = Signal(), Signal(WIDTH)
        m.d.sync += [offered.eq(dut.i.valid & ~dut.i.ready), offer.eq(dut.i.payload)]
        m.d.comb += Assume(~offered | (dut.i.valid & (dut.i.payload == offer)))
        self.stays(m)
        return m


class StageHarness(BufferHarness):
    """A payload is offered in the cycle after it came, and nothing comes until it has gone."""

    component = Stage

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        kept, waits = self.follow_one(m)
        m.d.comb += [Assert(dut.i.ready == ~waits), Assert(dut.o.valid == waits)]
        with m.If(waits):
            m.d.comb += Assert(dut.o.payload == kept)
        self.stays(m)
        return m


HARNESSES = [BufferHarness, PlacesHarness, SkidHarness, StageHarness]


def proof(folder, harness=BufferHarness, **how):
    harness = harness(**how)
    return prove(harness, inputs=harness.inputs, depth=4, folder=folder)


@pytest.mark.parametrize("harness", HARNESSES)
def test_order_and_rules(harness, tmp_path):
    assert proof(tmp_path, harness)


@pytest.mark.parametrize("harness", HARNESSES)
def test_proof_can_fail(harness, tmp_path):
    """A count that forgets that the buffer may be full is found out."""
    assert not proof(tmp_path, harness, forgetful=True)
