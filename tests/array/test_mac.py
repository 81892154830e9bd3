# amaranth: UnusedElaboratable=no
"""Every dot product unit keeps the contract, and nobody can tell which is in."""

import random

import pytest
from amaranth.back import verilog
from amaranth.sim import Simulator

from hwgen.config import load
from hwgen.rtl import mac

from ..refusal import assert_refused

BYTES = mac.Mode(8, 8)
"""Other widths, and units that have no bytes: test_mac_modes."""

UNITS = [
    (name, lanes)
    for name, kind in sorted(mac.KINDS.items())
    if kind.can(BYTES)
    for lanes in (2, 8, 32)
]
EXTREMES = [(0, 0), (255, -128), (255, 127), (128, -128), (128, 127), (127, -128), (1, 1)]


def operands(random, lanes):
    """Random bytes, or the same extreme pair in every lane."""
    if random.random() < 0.4:
        a, w = random.choice(EXTREMES)
        return [a] * lanes, [w] * lanes
    return (
        [random.randrange(256) for _ in range(lanes)],
        [random.randrange(-128, 128) for _ in range(lanes)],
    )


def pack(values):
    return sum((v & 0xFF) << (8 * n) for n, v in enumerate(values))


@pytest.mark.parametrize(("kind", "lanes"), UNITS)
@pytest.mark.parametrize("dense", [True, False], ids=["back-to-back", "pauses"])
def test_equals_model(kind, lanes, dense):
    """Sums appear exactly ``latency`` cycles after starts that are at least ``interval`` apart."""
    assert_equals_model(
        mac.KINDS[kind](lanes=lanes, modes=[BYTES]), f"{kind} {lanes} {dense}", dense
    )


def test_multipliers_far_from_their_tree():
    near, far = mac.ParallelMac(lanes=4), mac.ParallelMac(lanes=4, distant=True)
    assert far.latency == near.latency + 1
    assert_equals_model(far, "distant", dense=False)


def assert_equals_model(dut, seed, dense):
    """Starts one after the other if ``dense``, else with pauses."""
    lanes = dut.lanes
    rng = random.Random(seed)
    expected = {}
    checked = 0

    async def bench(ctx):
        nonlocal checked
        resting = 0
        for cycle in range(400 * dut.interval):
            if cycle in expected:
                assert ctx.get(dut.o_sum) == expected.pop(cycle)
                checked += 1
            start = resting == 0 and (dense or rng.random() < 0.3)
            resting = dut.interval - 1 if start else max(0, resting - 1)
            # Operands change in every cycle: the unit may look at them only at the start.
            activations, weights = operands(rng, lanes)
            is_signed = rng.randrange(2)
            ctx.set(dut.i_start, start)
            ctx.set(dut.i_activations, pack(activations))
            ctx.set(dut.i_weights, pack(weights))
            ctx.set(dut.i_signed, is_signed)
            if start:
                expected[cycle + dut.latency] = dut.model(activations, weights, bool(is_signed))
            await ctx.tick()

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    assert checked > 80


def test_model_of_signs():
    assert mac.Mac.model([255, 128], [-128, 127], False) == -255 * 128 + 128 * 127
    assert mac.Mac.model([255, 128], [-128, 127], True) == 128 - 128 * 127


@pytest.mark.parametrize(("shipped", "kind"), [("cgnet8", "ParallelMac"), ("serial8", "SerialMac")])
def test_create(shipped, kind):
    config = load(shipped)
    unit = mac.create(config)
    assert type(unit).__name__ == kind
    assert unit.lanes == config.array.lanes
    assert "module" in verilog.convert(unit)


@pytest.mark.parametrize("lanes", [0, 1, 3, 12, "8"])
@pytest.mark.parametrize("kind", sorted(mac.KINDS))
def test_bad_lanes(kind, lanes):
    assert_refused("lanes must be a power of two", mac.KINDS[kind], lanes=lanes)
