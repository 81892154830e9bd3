"""The requantizer of the sequential array against the arithmetic of the contract."""

import random

import pytest
from amaranth.sim import Simulator

from hwgen.rtl.sequential.scaler import Scaler

from .test_requantizer import CLAMPS, extremes, near_clamps, ties


@pytest.mark.parametrize(("multiplier_bits", "shift_max"), [(16, 31), (9, 47)])
def test_sums(multiplier_bits, shift_max):
    """A sum a cycle; with another sum already there, the clamp and shift are of the one before."""
    rng = random.Random(multiplier_bits)
    cases = [*extremes(multiplier_bits, shift_max), *ties(multiplier_bits, shift_max)]
    cases += near_clamps(rng, multiplier_bits, shift_max, 1500)
    alone = {"residual": 0, "residual_multiplier": 0}
    for case in cases:  # bias makes up for the residual that this unit has not
        case["bias"] += case["residual"] * case["residual_multiplier"]
        case["bias"] = min(max(case["bias"], -(1 << 47)), (1 << 47) - 1)
        case |= alone
    rng.shuffle(cases)
    dut = Scaler(multiplier_bits=multiplier_bits, shift_max=shift_max)
    inner = 0

    async def bench(ctx):
        nonlocal inner
        for n, case in enumerate(cases):
            ctx.set(dut.sum, case["acc"])
            ctx.set(dut.multiplier, case["multiplier"])
            ctx.set(dut.bias, case["bias"])
            await ctx.tick()
            low, high = CLAMPS[n % len(CLAMPS)]
            for name, value in (("shift", case["shift"]), ("low", low), ("high", high)):
                ctx.set(getattr(dut, name), value)
            ctx.set(dut.sum, ~case["acc"])
            expected = int(dut.model(**case, low=low, high=high))
            assert ctx.get(dut.o) == expected, case
            inner += low < expected < high

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert inner > len(cases) / 8
