"""What the stream blocks promise their neighbours, for all runs."""

from itertools import permutations

import pytest
from amaranth import *
from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring

from hwgen.config import load
from hwgen.memory import collision_checks
from hwgen.rtl import fifo, locator
from hwgen.rtl.activation_bank import ActivationBank
from hwgen.rtl.arbiter import Arbiter
from hwgen.rtl.credits import Credits
from hwgen.rtl.read_port import ReadPort
from hwgen.rtl.task_reader import TaskReader
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
    """A component, and what ``properties(m, dut, chosen)`` assumes and asserts about it.

    Its inputs are free, and so is the bit ``chosen``.
    """

    def __init__(self, dut, properties):
        self.dut, self.properties = dut, properties
        self.chosen = Signal()
        self.inputs = [self.chosen]
        for _, member, value in dut.signature.flatten(dut):
            if member.flow is wiring.In:
                self.inputs.append(Value.cast(value))

    def elaborate(self, platform):
        m = Module()
        with collision_checks():
            m.submodules.dut = Fragment.get(self.dut, platform)
        self.properties(m, self.dut, self.chosen)
        return m


def holds(dut, properties, folder, *, depth=3):
    harness = Harness(dut, properties)
    return prove(harness, inputs=harness.inputs, depth=depth, folder=folder)


def stays(m, port, check, name):
    """The rule of streams: what is offered is offered again, unchanged, until it is taken."""
    offered = Signal(name=f"{name}_offered")
    payload = Value.cast(port.payload)
    before = Signal(len(payload), name=f"{name}_before")
    m.d.sync += [offered.eq(port.valid & ~port.ready), before.eq(payload)]
    with m.If(offered):
        m.d.comb += check(port.valid & (payload == before))


def arbiter_properties(m, dut, bound):
    """One winner among those who ask; whoever keeps asking waits less than ``bound`` cycles."""
    waits = Signal(range(dut.ways + 1))
    m.d.sync += waits.eq(
        Mux(dut.requests[-1] & ~(dut.grant[-1] & dut.advance), waits + dut.advance, 0)
    )
    m.d.comb += [
        Assert((dut.grant & (dut.grant - 1)) == 0),
        Assert((dut.grant & ~dut.requests) == 0),
        Assert(dut.grant.any() == dut.requests.any()),
        Assert(waits < bound),
    ]
    # Why: "before" is an order, and who wins while others wait goes behind them.
    for a, b, c in permutations(range(dut.ways), 3):
        m.d.comb += Assert(~(dut.is_before(a, b) & dut.is_before(b, c)) | dut.is_before(a, c))
    before_last = sum(dut.is_before(n, dut.ways - 1) for n in range(dut.ways - 1))
    m.d.comb += Assert(waits + before_last < dut.ways)


@pytest.mark.parametrize("ways", [1, 4])
def test_arbiter(tmp_path, ways):
    def properties(m, dut, chosen):
        arbiter_properties(m, dut, ways)

    assert holds(Arbiter(ways=ways), properties, tmp_path)


def test_arbiter_is_not_quicker(tmp_path):
    """The bound is sharp: a smaller one is refuted."""

    def properties(m, dut, chosen):
        arbiter_properties(m, dut, 2)

    assert not holds(Arbiter(ways=3), properties, tmp_path, depth=5)


def is_whole(m, queue):
    """The invariant of a queue, which the proofs about what is around it need too."""
    m.d.comb += [
        Assert(queue._level <= queue.depth),
        Assert((queue._write - queue._read - queue._level)[: len(queue._read)] == 0),
    ]


def fifo_properties(m, dut, chosen):
    """One payload, any one, taken at any time, comes out in its turn."""
    memory = WatchedRAM.made[0]
    value = Signal(len(dut.i.payload))
    followed, shown = Signal(), Signal()  # it is in memory; it is offered
    ahead = Signal.like(dut._level)  # payloads in memory that are older
    starts, pulled = Signal(), Signal()
    m.d.comb += [
        value.eq(AnyConst(len(value))),
        pulled.eq((dut._level != 0) & (~dut.o.valid | dut.o.ready)),
        starts.eq(chosen & dut.i.valid & dut.i.ready & ~followed & ~shown),
        Assume(~starts | (dut.i.payload == value)),
    ]
    with m.If(starts):
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
        m.d.comb += Assert(dut.o.valid & (dut.o.payload == value) & ~followed)
    m.d.comb += memory.watched_row.eq(dut._read + ahead)
    is_whole(m, dut)
    stays(m, dut.o, Assert, "o")


@pytest.mark.parametrize("depth", [2, 4])
def test_fifo_keeps_order(tmp_path, monkeypatch, depth):
    monkeypatch.setattr(fifo, "RAM", WatchedRAM)
    WatchedRAM.made.clear()
    dut = fifo.RamFifo(3, depth=depth, name="test")
    assert holds(dut, fifo_properties, tmp_path)


def test_fifo_proof_can_fail(tmp_path, monkeypatch):
    """A queue that believes it has more room is found out."""
    monkeypatch.setattr(fifo, "RAM", WatchedRAM)
    monkeypatch.setattr(fifo.RamFifo, "depth", property(lambda self: self._depth))
    WatchedRAM.made.clear()
    dut = fifo.RamFifo(3, depth=4, name="test")

    def properties(m, dut, chosen):
        fifo_properties(m, dut, chosen)
        m.d.comb += Assert(dut._level < dut.depth)

    assert not holds(dut, properties, tmp_path)


def test_credits(tmp_path):
    """What was taken and not given back, and what is free, are all places; nobody gets too much."""

    def properties(m, dut, chosen):
        m.d.comb += Assume(dut.available | ~dut.take)
        for n, free in enumerate(dut._free):
            held = Signal(range(dut.room + 1), name=f"held{n}")
            m.d.sync += held.eq(held + dut.take - dut.released[n])
            m.d.comb += [Assume((held != 0) | ~dut.released[n]), Assert(held + free == dut.room)]
        m.d.comb += [
            Assert(dut.available == Cat(free != 0 for free in dut._free).all()),
            Assert(dut.full == Cat(free == dut.room for free in dut._free).all()),
        ]

    assert holds(Credits(ways=3, room=2), properties, tmp_path)


@pytest.mark.parametrize("held", [True, False], ids=["as promised", "without hold"])
def test_bank_reads_no_row_that_it_writes(tmp_path, held):
    """The check inside of the memory, for all runs, if ``hold`` follows ``conflict``; else not."""

    def properties(m, dut, chosen):
        if held:
            # Other banks may hold it too.
            m.d.comb += Assume(dut.hold | ~dut.conflict)

    bank = ActivationBank(load("tiny", SMALL), readers=2, writers=2)
    assert holds(bank, properties, tmp_path) == held


def test_read_port_has_room(tmp_path):
    """A bank's answer is never refused: no more is granted than has room."""

    def properties(m, dut, chosen):
        under_way = Signal(range(dut.room + 1))
        answers = dut._answers
        m.d.sync += under_way.eq(under_way + (dut.granted & ~dut.hold) - dut.answer_valid)
        m.d.comb += [
            Assume(dut.wants.any() | ~dut.granted),
            Assert((dut._free != 0) | ~dut.wants.any()),
            Assume((under_way != 0) | ~dut.answer_valid),
            Assert(answers.i.ready | ~dut.answer_valid),
            Assert(
                under_way + answers._level + answers.o.valid + dut._free
                == dut.room + dut._was_granted
            ),
        ]
        is_whole(m, answers)
        stays(m, dut.data, Assert, "data")

    assert holds(ReadPort(load("tiny", SMALL)), properties, tmp_path)


def test_locator_keeps_the_rule_of_streams(tmp_path):
    def properties(m, dut, chosen):
        stays(m, dut.o, Assert, "o")

    assert holds(locator.Locator(load("tiny", SMALL)), properties, tmp_path)


def test_fetch_keeps_the_rule_of_streams(tmp_path):
    """At its read port and at its output, if its source and the read port keep it."""

    def properties(m, dut, chosen):
        stays(m, dut.i, Assume, "i")
        stays(m, dut.data, Assume, "data")
        is_whole(m, dut._order)
        stays(m, dut.request, Assert, "request")
        stays(m, dut.o, Assert, "o")

    assert holds(VectorFetch(load("tiny", SMALL)), properties, tmp_path)


def test_task_reader_keeps_the_rule_of_streams(tmp_path):
    """If an entry stays until the next is read; and it reads only what is there."""

    def properties(m, dut, chosen):
        tasks = dut.list
        kept, entry = Signal(), Signal.like(Value.cast(tasks.entry))
        m.d.sync += [kept.eq(~tasks.read_en), entry.eq(tasks.entry)]
        count, enabled = Signal.like(tasks.count), Signal()
        m.d.sync += [count.eq(tasks.count), enabled.eq(dut.enable)]
        m.d.comb += [
            Assume(~kept | (entry == Value.cast(tasks.entry))),
            # The list only grows while it is read, and it is left only between two rounds.
            Assume(~enabled | (tasks.count >= count)),
            Assume(dut.enable | ~dut.o.valid),
            Assert(~tasks.read_en | (tasks.read_index < tasks.count)),
            Assert(dut._following <= tasks.count),
        ]
        stays(m, dut.o, Assert, "o")

    assert holds(TaskReader(load("tiny", SMALL)), properties, tmp_path)
