"""The dealing of tasks, for every pattern of decisions."""

import itertools
import random

import pytest
from amaranth.sim import Simulator

from hwgen.config import load
from hwgen.rtl.group.model import Dealer
from hwgen.rtl.group.packer import TaskPacker


def run(group, columns, gates, rng, pauses):
    """Rows and numbers of rows of each gate, from hardware: tasks (slot, sum), last0, pops."""
    config = load("tiny", {"array.engines": group, "array.group": group, "array.slots": columns})
    dut = TaskPacker(config)
    rows, done = [[]], []

    async def send(ctx):
        for gate in gates:
            for n, fired in enumerate(gate):
                while rng.random() < pauses:
                    await ctx.tick()
                position, column = divmod(n, columns)
                row = {"some": 1, "row": n, "column": column, "completes": column == columns - 1}
                sums = [(n * group + e) * 7 for e in range(group)]
                row |= {"fired": fired, "sums": sums, "end": n == len(gate) - 1}
                ctx.set(dut.gate, row)
                await ctx.tick()
                ctx.set(dut.gate.some, 0)
                ctx.set(dut.gate.end, 0)
            if not gate:
                ctx.set(dut.gate.end, 1)
                await ctx.tick()
                ctx.set(dut.gate.end, 0)
            before = len(done)
            while len(done) == before:
                await ctx.tick()

    async def watch(ctx):
        signals = dut.dealt_en, dut.dealt, dut.done, dut.task_rows
        async for _, _, writes, dealt, ends, count in ctx.tick().sample(*signals):
            if writes:
                record = dealt.record
                assert dealt.row == len(rows[-1])
                lanes = range(record.last + 1)
                tasks = [(record.slots[n], dealt.sums[n]) for n in lanes]
                rows[-1].append((tasks, record.last0, record.pops))
            if ends:
                assert count == len(rows[-1])
                done.append(count)
                rows.append([])

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(send)
    sim.add_testbench(watch, background=True)
    sim.run()
    assert len(done) == len(gates)
    return rows[: len(gates)]


def expected(group, columns, gate):
    dealer = Dealer(group)
    for n, fired in enumerate(gate):
        position, column = divmod(n, columns)
        lanes = [e for e in range(group) if fired >> e & 1]
        dealer.deal(
            [(position, column * group + e) for e in lanes], [(n * group + e) * 7 for e in lanes]
        )
    dealer.flush()
    rows = []
    for row, sums in zip(dealer.rows, dealer.sums, strict=True):
        first = row.tasks[0][0]
        of_first = sum(position == first for position, _ in row.tasks)
        last0 = of_first - 1 if of_first < len(row.tasks) else None
        tasks = [(slot, total) for (_, slot), total in zip(row.tasks, sums, strict=True)]
        rows.append((tasks, last0, row.pops))
    return rows


def assert_equal(got, wanted):
    assert len(got) == len(wanted)
    for (tasks, last0, pops), (wanted_tasks, wanted_last0, wanted_pops) in zip(
        got, wanted, strict=True
    ):
        assert tasks == wanted_tasks
        assert pops == wanted_pops
        if wanted_last0 is None:  # one position: no lane may take the second head
            assert last0 >= len(tasks) - 1
        else:
            assert last0 == wanted_last0


def test_two_engines_exhaustively():
    """Every gate of up to two positions of two rows of two sums, and many of three."""
    gates = [
        list(fired)
        for positions in range(4)
        for fired in itertools.product(range(4), repeat=2 * positions)
        if positions < 3 or sum(fired) % 16 == 0
    ]
    got = run(2, 2, gates, random.Random(1), pauses=0)
    for gate, rows in zip(gates, got, strict=True):
        assert_equal(rows, expected(2, 2, gate))


@pytest.mark.parametrize("density", [0.05, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("group", [1, 2, 4, 8, 16])
def test_random(group, density):
    rng = random.Random(f"{group} {density}")
    columns = 3
    gates = []
    for _ in range(12):
        rows = rng.randrange(20) * columns
        gates.append(
            [sum((rng.random() < density) << e for e in range(group)) for _ in range(rows)]
        )
    got = run(group, columns, gates, rng, pauses=0.1)
    for gate, rows in zip(gates, got, strict=True):
        assert_equal(rows, expected(group, columns, gate))
