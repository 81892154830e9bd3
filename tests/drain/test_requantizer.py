"""The requantizer against the arithmetic of the contract."""

import random

import pytest
from amaranth.sim import Simulator

from hwgen.rtl.drain import Requantizer

CLAMPS = [(-256, 255), (-128, 127), (0, 255), (0, 127), (-3, -3)]


def case(acc=0, multiplier=0, residual=0, residual_multiplier=0, bias=0, shift=1):
    return {
        "acc": acc,
        "multiplier": multiplier,
        "residual": residual,
        "residual_multiplier": residual_multiplier,
        "bias": bias,
        "shift": shift,
    }


def ties(multiplier_bits, shift_max):
    """Sums halfway between two results, and their neighbours, for every shift; of both signs."""
    multiplier = 1 << (multiplier_bits - 2)
    for shift in range(1, shift_max + 1):
        for result in (-200, -3, -2, -1, 0, 1, 2, 200):
            for near in (-1, 0, 1):
                total = (result << shift) + (1 << (shift - 1)) + near
                acc, bias = divmod(total, multiplier)
                if -(1 << 31) <= acc < 1 << 31:
                    yield case(acc=acc, multiplier=multiplier, bias=bias, shift=shift)


def extremes(multiplier_bits, shift_max):
    """Every operand at an end of its range, in all combinations."""
    m = 1 << (multiplier_bits - 1)
    for acc in (-(1 << 31), (1 << 31) - 1):
        for multiplier in (-m, m - 1):
            for residual in (-128, 255):
                for residual_multiplier in (-(1 << 31), (1 << 31) - 1):
                    for bias in (-(1 << 47), (1 << 47) - 1, 0):
                        for shift in (1, 2, 15, shift_max - 1, shift_max):
                            yield case(acc, multiplier, residual, residual_multiplier, bias, shift)


def near_clamps(rng, multiplier_bits, shift_max, count):
    """Random operands; the bias brings the sum into the range of a result, more or less."""
    for _ in range(count):
        m = 1 << rng.randint(0, multiplier_bits - 1)
        acc = rng.randint(-(1 << 31), (1 << 31) - 1) >> rng.randint(0, 31)
        multiplier = rng.randint(-m, m - 1)
        residual = rng.randint(-128, 255)
        residual_multiplier = rng.randint(-(1 << 31), (1 << 31) - 1) >> rng.randint(0, 31)
        shift = rng.randint(1, shift_max)
        total = acc * multiplier + residual * residual_multiplier
        bias = (rng.randint(-1100, 1100) << shift >> 1) + rng.randint(-2, 2) - total
        bias = min(max(bias, -(1 << 47)), (1 << 47) - 1)
        yield case(acc, multiplier, residual, residual_multiplier, bias, shift)


def random_bias(rng, multiplier_bits, shift_max, count):
    m = 1 << (multiplier_bits - 1)
    for _ in range(count):
        yield case(
            rng.randint(-(1 << 31), (1 << 31) - 1),
            rng.randint(-m, m - 1),
            rng.randint(-128, 255),
            rng.randint(-(1 << 31), (1 << 31) - 1),
            rng.randint(-(1 << 47), (1 << 47) - 1),
            rng.randint(1, shift_max),
        )


@pytest.mark.parametrize(("multiplier_bits", "shift_max"), [(16, 31), (8, 15), (24, 47)])
def test_equals_model(multiplier_bits, shift_max):
    """Operands in every cycle; each result ``latency`` cycles later."""
    rng = random.Random(f"{multiplier_bits} {shift_max}")
    dut = Requantizer(multiplier_bits=multiplier_bits, shift_max=shift_max)
    cases = [
        *ties(multiplier_bits, shift_max),
        *extremes(multiplier_bits, shift_max),
        *near_clamps(rng, multiplier_bits, shift_max, 1500),
        *random_bias(rng, multiplier_bits, shift_max, 300),
    ]
    rng.shuffle(cases)
    inner = 0

    async def bench(ctx):
        nonlocal inner
        for n, (low, high) in enumerate(CLAMPS):
            ctx.set(dut.low, low)
            ctx.set(dut.high, high)
            part = cases[n :: len(CLAMPS)]
            for cycle in range(len(part) + dut.latency):
                if cycle >= dut.latency:
                    operands = part[cycle - dut.latency]
                    expected = int(dut.model(**operands, low=low, high=high))
                    assert ctx.get(dut.o) == expected, operands
                    inner += low < expected < high
                if cycle < len(part):
                    ctx.set(dut.i, part[cycle])
                await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    assert inner > len(cases) / 8  # the clamps did not hide it all


def test_model_rounds_half_up():
    """Ties of both signs: floor(x + 1/2)."""
    results = [
        int(Requantizer.model(acc, 1, 0, 1, -256, 255)) for acc in (-5, -4, -3, -2, -1, 1, 3, 5)
    ]
    assert results == [-2, -2, -1, -1, 0, 1, 2, 3]
