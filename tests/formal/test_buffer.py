"""The stream buffer keeps the stream rules, and loses, doubles and reorders nothing."""

from amaranth import *
from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Assume

from hwgen.rtl.group.buffer import StreamBuffer

from .proof import prove

WIDTH = 4


class BufferHarness(Elaboratable):
    """Follows one payload, any of them, from the transfer in to the transfer out."""

    def __init__(self, *, forgetful=False):
        self.dut = StreamBuffer(WIDTH)
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
                m.d.comb += Assert(dut._spare == value)

        # What is offered stays until it is taken.
        offered = Signal()
        offer = Signal(WIDTH)
        m.d.sync += [offered.eq(dut.o.valid & ~dut.o.ready), offer.eq(dut.o.payload)]
        with m.If(offered):
            m.d.comb += Assert(dut.o.valid & (dut.o.payload == offer))
        return m


def proof(folder, **how):
    harness = BufferHarness(**how)
    return prove(harness, inputs=harness.inputs, depth=4, folder=folder)


def test_order_and_rules(tmp_path):
    assert proof(tmp_path)


def test_proof_can_fail(tmp_path):
    """A count that forgets that the buffer may be full is found out."""
    assert not proof(tmp_path, forgetful=True)
