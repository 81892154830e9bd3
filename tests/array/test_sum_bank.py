"""A bank of sums: which sums count as departed."""

from amaranth.sim import Simulator

from hwgen.config import load
from hwgen.rtl.group.layouts import DEPARTED
from hwgen.rtl.group.sum_bank import SumBank


def test_only_the_mark_itself_has_departed():
    """Sums that differ from it in a single bit have not."""
    config = load("tiny")
    dut = SumBank(config)
    lanes = config.array.group
    near = [DEPARTED ^ 1 << bit for bit in range(31)] + [DEPARTED ^ -1 << 31, DEPARTED, 0, -1]
    rows = [[near[n], near[-2 - n]] for n in range(len(near) - 1)]
    assert len(rows) <= config.array.rows and all(len(row) == lanes for row in rows)

    async def bench(ctx):
        ctx.set(dut.w_en, 1)
        for n, row in enumerate(rows):
            ctx.set(dut.w_row, n)
            for lane, value in enumerate(row):
                ctx.set(dut.w_sums[lane], value)
            await ctx.tick()
        ctx.set(dut.w_en, 0)
        found = []
        for n in range(len(rows)):
            ctx.set(dut.r_en, 1)
            ctx.set(dut.r_row, n)
            await ctx.tick()
            ctx.set(dut.r_en, 0)
            ctx.set(dut.take, 1)
            await ctx.tick()
            ctx.set(dut.take, 0)
            found.append([ctx.get(dut.departed[lane]) for lane in range(lanes)])
            assert [ctx.get(dut.sums[lane]) for lane in range(lanes)] == rows[n]
        assert found == [[value == DEPARTED for value in row] for row in rows]
        assert sum(map(sum, found)) == 2

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
