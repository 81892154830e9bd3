"""The index decoder lists exactly the positions that have tasks, whatever the groups' order."""

import pytest
from amaranth import *
from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring

from hwgen.config import load
from hwgen.rtl import fifo, task_index

from .proof import WatchedRAM, prove

GROUPS = 2


def configuration():
    """Two groups, up to four positions."""
    return load("tiny", {"array.engines": 4, "array.rows": 16, "array.slots": 4})


class IndexHarness(Elaboratable):
    """Follows one position of a tile, any position, through the queues of decisions into the list.

    Groups decide no more positions than there are; a tile begins when the list is complete.
    """

    def __init__(self):
        self.dut = task_index.TaskIndex(configuration())
        self.inputs = [
            Value.cast(value)
            for _, member, value in self.dut.signature.flatten(self.dut)
            if member.flow is wiring.In
        ]

    def elaborate(self, platform):
        m = Module()
        dut, tasks = self.dut, self.dut.list
        WatchedRAM.made.clear()
        m.submodules.dut = Fragment.get(dut, platform)
        entries, *decisions = WatchedRAM.made  # parts are elaborated after the whole
        most = dut._decisions[0].depth

        # One tile after the other.
        positions = Signal(14)
        joined = Signal(range(most + 1))  # positions that have left the queues
        m.d.comb += [
            Assume(~tasks.restart | (tasks.complete & (tasks.positions <= most))),
            joined.eq(positions - dut._left),
            Assert((dut._left <= positions) & (positions <= most)),
        ]
        decided = self._decided(m, tasks, positions)
        with m.If(tasks.restart):
            m.d.sync += positions.eq(tasks.positions)

        # The position that is followed: what each group says of it, and its entry.
        followed = Signal(range(most))
        m.d.comb += followed.eq(AnyConst(len(followed)))
        fired = Signal(GROUPS)
        place = Signal(len(Value.cast(dut._walker.place)))
        number = Signal.like(tasks.count)  # of entries before it
        for j, queue in enumerate(dut._decisions):
            with m.If(dut.decided[j] & (decided[j] == followed)):
                m.d.sync += fired[j].eq(dut.any[j])
            self._queue_holds(
                m,
                queue,
                decisions[j],
                decided[j] - joined,
                followed - joined,
                (decided[j] > followed) & (followed >= joined),
                fired[j],
            )
        with m.If(joined == followed):
            m.d.sync += [place.eq(dut._walker.place), number.eq(tasks.count)]

        # What must hold: it has an entry if a group fired, in its turn, and else none.
        listed = (joined > followed) & (followed < positions)
        m.d.comb += [
            entries.watched_row.eq(number),
            Assert(tasks.count <= joined),
            Assert(tasks.complete == (joined == positions)),
        ]
        after = Signal.like(tasks.count)  # entries including its own
        m.d.comb += after.eq(number + fired.any())
        with m.If(listed):
            m.d.comb += [
                Assert(number <= followed),
                Assert((after <= tasks.count) & (tasks.count - after <= joined - followed - 1)),
            ]
            with m.If(fired.any()):
                m.d.comb += Assert(entries.watched == Cat(place, fired))
        return m

    def _decided(self, m, tasks, positions):
        """How many positions each group has decided in this tile."""
        counters = []
        for j in range(GROUPS):
            counter = Signal.like(positions, name=f"decided{j}")
            m.d.comb += [
                Assume(~self.dut.decided[j] | (counter < positions)),
                Assert(counter <= positions),
            ]
            with m.If(tasks.restart):
                m.d.sync += counter.eq(0)
                m.d.comb += Assume(~self.dut.decided[j])
            with m.Else():
                m.d.sync += counter.eq(counter + self.dut.decided[j])
            counters.append(counter)
        return counters

    def _queue_holds(self, m, queue, memory, size, place, here, value):
        """The queue has ``size`` bits, and if ``here``, the one at ``place`` is ``value``."""
        m.d.comb += [
            Assert(queue._level + queue.o.valid == size),
            Assert((queue._write - queue._read - queue._level)[: len(queue._read)] == 0),
            memory.watched_row.eq(queue._read + place - queue.o.valid),
        ]
        with m.If(here):
            with m.If((place == 0) & queue.o.valid):
                m.d.comb += Assert(queue.o.payload == value)
            with m.Else():
                m.d.comb += Assert(memory.watched == value)


@pytest.fixture
def watched(monkeypatch):
    monkeypatch.setattr(fifo, "RAM", WatchedRAM)
    monkeypatch.setattr(task_index, "RAM", WatchedRAM)


def test_list_is_exact(watched, tmp_path):
    harness = IndexHarness()
    assert prove(harness, inputs=harness.inputs, depth=2, folder=tmp_path)


def test_proof_can_fail(watched, tmp_path, monkeypatch):
    """A decoder that mixes up its groups is found out."""
    harness = IndexHarness()
    queues = harness.dut._decisions
    original = task_index.Cat

    def swapped(*bits):
        return original(
            *[list(b)[::-1] if isinstance(b, list) and len(b) == len(queues) else b for b in bits]
        )

    monkeypatch.setattr(task_index, "Cat", swapped)
    assert not prove(harness, inputs=harness.inputs, depth=2, folder=tmp_path)
