"""What the stream blocks promise their neighbours, for all runs."""

import pytest
from amaranth import *
from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Assume
from amaranth.lib import stream, wiring

from hwgen.config import load
from hwgen.memory import collision_checks
from hwgen.rtl import fifo
from hwgen.rtl.activation_bank import ActivationBank
from hwgen.rtl.arbiter import RoundRobin
from hwgen.rtl.credits import Credits
from hwgen.rtl.locator import Locator
from hwgen.rtl.read_port import ReadPort
from hwgen.rtl.vector_fetch import VectorFetch

from .proof import WatchedRAM, prove

SMALL = {
    "array.clusters": 2,
    "array.engines": 4,
    "array.lanes": 4,
    "array.rows": 16,
    "array.slots": 4,
    "memory.activation_words": 64,
}


class Harness(Elaboratable):
    """A component and a function that adds what is assumed and asserted; its In members are free."""

    def __init__(self, dut, properties):
        self.dut, self.properties = dut, properties
        self.inputs = [
            Value.cast(value)
            for _, member, value in dut.signature.flatten(dut)
            if member.flow is wiring.In
        ]

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = self.dut
        self.properties(m, self.dut)
        return m


def holds(dut, properties, folder, *, depth=3):
    harness = Harness(dut, properties)
    return prove(harness, inputs=harness.inputs, depth=depth, folder=folder)


def stays(m, port, check):
    """The rule of streams: what is offered is offered again, unchanged, until it is taken."""
    offered = Signal(name=f"offered_{len(m.submodules._modules) if False else id(port)}")
    payload = Value.cast(port.payload)
    before = Signal.like(payload, name=f"before_{id(port)}")
    m.d.sync += [offered.eq(port.valid & ~port.ready), before.eq(payload)]
    with m.If(offered):
        m.d.comb += check(port.valid & (payload == before))


@pytest.mark.parametrize("ways", [1, 3, 5])
def test_round_robin(tmp_path, ways):
    """One winner among those who ask, whenever one asks; whoever keeps asking waits less than ``ways``."""

    def properties(m, dut):
        waits = Signal(range(ways + 1))
        me = Signal(ways)
        m.d.comb += [me.eq(AnyConst(ways)), Assume((me != 0) & ((me & (me - 1)) == 0))]
        asks, wins = (dut.requests & me).any(), (dut.grant & me).any()
        m.d.sync += waits.eq(Mux(asks & ~wins, waits + 1, 0))
        m.d.comb += [
            Assert((dut.grant & (dut.grant - 1)) == 0),
            Assert((dut.grant & ~dut.requests) == 0),
            Assert(dut.grant.any() == dut.requests.any()),
            Assert(waits < ways),
        ]

    assert holds(RoundRobin(ways=ways), properties, tmp_path, depth=ways + 2)


def test_round_robin_is_not_quicker(tmp_path):
    """The bound is sharp: a smaller one is refuted."""

    def properties(m, dut):
        waits = Signal(2)
        m.d.sync += waits.eq(Mux(dut.requests[0] & ~dut.grant[0], waits + 1, 0))
        m.d.comb += Assert(waits < 2)

    assert not holds(RoundRobin(ways=3), properties, tmp_path, depth=5)


def follow_one(m, dut, memory):
    """One payload, any one, taken at any time, comes out in its turn; the rule of streams is kept."""
    value = Signal.like(dut.i.payload)
    start, followed = Signal(), Signal()
    ahead = Signal.like(dut._level)  # how many payloads in memory are older
    shown = Signal()  # it is at the output
    pulled = Signal()
    m.d.comb += [
        value.eq(AnyConst(len(value))),
        pulled.eq((dut._level != 0) & (~dut.o.valid | dut.o.ready)),
        start.eq(dut.i.valid & dut.i.ready & (dut.i.payload == value) & ~followed & ~shown),
    ]
    pick = Signal()
    m.d.sync += pick.eq(~pick)  # not always the first that fits
    with m.If(start & pick):
        m.d.sync += [followed.eq(1), ahead.eq(dut._level - pulled)]
    with m.Elif(followed & pulled):
        m.d.sync += ahead.eq(ahead - 1)
        with m.If(ahead == 0):
            m.d.sync += [followed.eq(0), shown.eq(1)]
    with m.If(shown & dut.o.ready):
        m.d.sync += shown.eq(0)
    with m.If(followed):
        m.d.comb += [Assert(ahead < dut._level), Assert(memory.watched == value)]
    with m.If(shown):
        m.d.comb += Assert(dut.o.valid & (dut.o.payload == value))
    m.d.comb += [
        memory.watched_row.eq(dut._read + ahead),
        Assert(dut._level <= dut.depth),
        Assert((dut._write - dut._read - dut._level)[: len(dut._read)] == 0),
    ]
    stays(m, dut.o, Assert)


@pytest.mark.parametrize("depth", [2, 4])
def test_fifo_keeps_order(tmp_path, monkeypatch, depth):
    monkeypatch.setattr(fifo, "RAM", WatchedRAM)
    dut = fifo.RamFifo(3, depth=depth, name="test")
    WatchedRAM.made.clear()

    def properties(m, dut):
        m.submodules.dut = Fragment.get(dut, None)
        follow_one(m, dut, WatchedRAM.made[0])

    assert holds(dut, properties, tmp_path)
