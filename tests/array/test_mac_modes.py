# amaranth: UnusedElaboratable=no
"""Dot product units of many widths: every mode is exact, and modes follow each other freely."""

import random
from itertools import product

import pytest
from amaranth.sim import Simulator

from hwgen.rtl.mac import BitBrickMac, Mode, ParallelMac, SerialMac, SubwordMac, XnorMac

from ..refusal import assert_refused

SQUARE = [Mode(8, 8), Mode(4, 4), Mode(2, 2)]
EVERY = [Mode(a, w) for a, w in product((2, 4, 8), repeat=2)]
UNITS = {
    "parallel": (ParallelMac, 4, [Mode(8, 8)]),
    "bricks": (BitBrickMac, 4, EVERY),
    "bricks-square": (BitBrickMac, 8, SQUARE),
    "bricks-many-lanes": (BitBrickMac, 32, [Mode(8, 8), Mode(2, 2)]),
    "bricks-few-lanes": (BitBrickMac, 2, EVERY),
    "bricks-16": (BitBrickMac, 4, [Mode(16, 16), Mode(16, 4), Mode(2, 16), *SQUARE]),
    "bricks-all": (BitBrickMac, 4, [Mode(a, w) for a, w in product(range(1, 9), repeat=2)]),
    "bricks-16-few-lanes": (BitBrickMac, 2, [Mode(16, 16), Mode(8, 16), Mode(2, 3)]),
    "bricks-one-mode": (BitBrickMac, 4, [Mode(4, 4)]),
    "bricks-one-step": (BitBrickMac, 4, [Mode(2, 2), Mode(8, 2), Mode(2, 4)]),
    "bricks-only": (BitBrickMac, 4, [Mode(2, 2)]),
    "serial": (SerialMac, 8, [Mode(bits, 8) for bits in range(1, 9)]),
    "serial-16": (SerialMac, 4, [Mode(16, 8), Mode(11, 8), Mode(8, 8), Mode(3, 5)]),
    "subword": (SubwordMac, 8, [Mode(16, 16), Mode(8, 8), Mode(4, 4), Mode(16, 4), Mode(5, 7)]),
    "subword-one-multiplier": (SubwordMac, 2, [Mode(16, 16), Mode(3, 8), Mode(4, 3)]),
    "subword-8": (SubwordMac, 4, [Mode(8, 8), Mode(4, 4)]),
    "subword-only": (SubwordMac, 4, [Mode(4, 4)]),
    "xnor": (XnorMac, 8, [Mode(1, 1)]),
    "xnor-few-lanes": (XnorMac, 2, [Mode(1, 1)]),
}


def extremes(bits, signed):
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


def numbers(rng, count, bits, signed):
    """Random numbers of so many bits, often the largest or smallest, or zero."""
    low, high = extremes(bits, signed)
    kind = rng.randrange(4)
    if kind == 0:
        return [rng.choice((low, high))] * count
    if kind == 1:
        return [rng.choice((low, high, 0)) for _ in range(count)]
    return [rng.randint(low, high) for _ in range(count)]


def run(dut, starts):
    """Drive (gap, mode, activations, weights, signed) and compare each sum in its very cycle."""
    expected, checked = {}, 0

    async def bench(ctx):
        nonlocal checked
        cycle = 0

        async def tick():
            nonlocal cycle, checked
            if cycle in expected:
                assert ctx.get(dut.o_sum) == expected.pop(cycle), f"cycle {cycle}"
                checked += 1
            await ctx.tick()
            cycle += 1

        rng = random.Random("rubbish")
        bits = len(dut.i_activations)
        for gap, mode, activations, weights, signed in starts:
            packed = (
                dut.activations_in(mode).pack(activations),
                dut.weights_in(mode).pack(weights),
            )
            total = sum(a * w for a, w in zip(activations, weights, strict=True))
            assert dut.model_in(mode, *packed, signed) == total
            assert cycle + dut.latency_in(mode) not in expected
            expected[cycle + dut.latency_in(mode)] = total
            ctx.set(dut.i_start, 1)
            if len(dut.modes) > 1:
                ctx.set(dut.i_mode, dut.modes.index(mode))
            ctx.set(dut.i_activations, packed[0])
            ctx.set(dut.i_weights, packed[1])
            ctx.set(dut.i_signed, signed)
            await tick()
            # The unit may look at its operands only at the start.
            for _ in range(dut.steps_in(mode) - 1 + gap):
                ctx.set(dut.i_start, 0)
                if len(dut.modes) > 1:
                    ctx.set(dut.i_mode, rng.randrange(len(dut.modes)))
                ctx.set(dut.i_activations, rng.getrandbits(bits))
                ctx.set(dut.i_weights, rng.getrandbits(bits))
                ctx.set(dut.i_signed, rng.randrange(2))
                await tick()
        ctx.set(dut.i_start, 0)
        while expected:
            await tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert checked == len(starts)


@pytest.mark.parametrize("name", UNITS)
def test_modes_one_after_the_other(name):
    kind, lanes, modes = UNITS[name]
    dut = kind(lanes=lanes, modes=modes)
    rng = random.Random(name)
    starts = []
    # Runs of one mode, every mode in turn, and any mode.
    order = [mode for mode in modes[:8] for _ in range(15)] + 2 * modes + rng.choices(modes, k=100)
    for mode in order:
        signed = bool(rng.randrange(2))
        count = dut.lanes_in(mode)
        activations = numbers(rng, count, mode.activations, signed)
        weights = numbers(rng, count, mode.weights, True)
        if kind is XnorMac:
            activations, weights = ([2 * (v & 1) - 1 for v in x] for x in (activations, weights))
        starts.append((rng.choice((0, 0, 0, 1, 5)), mode, activations, weights, signed))
    run(dut, starts)


def every_product(bits, signed):
    low, high = extremes(bits[0], signed)
    return list(product(range(low, high + 1), range(-(1 << bits[1] - 1), 1 << bits[1] - 1)))


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("name", ["bricks", "bricks-all", "serial", "subword"])
def test_every_product_of_small_operands(name, signed):
    """All pairs of operands of up to eight bits together, in every lane."""
    kind, lanes, modes = UNITS[name]
    dut = kind(lanes=lanes, modes=modes)
    rng = random.Random(f"{name} {signed}")
    starts = []
    for mode in modes:
        if mode.activations + mode.weights > 8:
            continue
        pairs = every_product((mode.activations, mode.weights), signed)
        rng.shuffle(pairs)
        count = dut.lanes_in(mode)
        pairs += [(0, 0)] * (-len(pairs) % count)
        for n in range(0, len(pairs), count):
            activations, weights = zip(*pairs[n : n + count], strict=True)
            starts.append((0, mode, list(activations), list(weights), signed))
    run(dut, starts)


def test_sixteen_bricks_do_what_the_widths_allow():
    """16 products of 2x2 bits, 4 of 4x4, 2 of 8x4, 1 of 8x8 in a cycle, for each four bytes."""
    for lanes in (4, 32):
        dut = BitBrickMac(lanes=lanes, modes=EVERY)
        for mode in EVERY:
            products = 64 / (mode.activations * mode.weights) * lanes / 4
            assert dut.lanes_in(mode) / dut.steps_in(mode) == products


def test_fastest_mode_that_holds_the_numbers():
    dut = BitBrickMac(lanes=4, modes=[Mode(8, 8), Mode(4, 8), Mode(4, 4), Mode(8, 2), Mode(2, 2)])
    for widths, mode in {
        (8, 8): Mode(8, 8),
        (5, 3): Mode(8, 8),
        (3, 3): Mode(4, 4),
        (1, 2): Mode(2, 2),
        (3, 5): Mode(4, 8),
        (6, 2): Mode(8, 2),
    }.items():
        assert dut.mode_for(*widths) == mode
    assert_refused("no mode holds 9x2 bits; there are 8x8, 4x8, 4x4, 8x2, 2x2", dut.mode_for, 9, 2)


def test_modes_as_text():
    for mode in EVERY:
        assert Mode.parse(str(mode)) == mode
    for text in ("8", "8x", "axb", "8x8x8", "-8x8", " 8x8"):
        assert_refused("a mode must be like 8x4", Mode.parse, text)
    assert_refused("weights of a mode must have 1 to 16 bits, not 17", Mode.parse, "8x17")


@pytest.mark.parametrize(
    "kind, modes, match",
    [
        (BitBrickMac, [], "modes must be different, and at least one"),
        (BitBrickMac, [Mode(8, 8), Mode(8, 8)], "modes must be different"),
        (ParallelMac, [Mode(4, 4)], "modes of a ParallelMac cannot be 4x4"),
        (SerialMac, [Mode(8, 9)], "modes of a SerialMac cannot be 8x9"),
        (XnorMac, [Mode(2, 1)], "modes of a XnorMac cannot be 2x1"),
    ],
)
def test_modes_that_a_unit_cannot_have(kind, modes, match):
    assert_refused(match, kind, lanes=4, modes=modes)


def test_numbers_that_do_not_fit_a_vector():
    placement = BitBrickMac(lanes=2, modes=[Mode(4, 4)]).weights_in(Mode(4, 4))
    assert_refused("values must be 4, not 3", placement.pack, [0, 0, 0])
    assert_refused("value 2 must fit 4 bits, not 16", placement.pack, [0, 0, 16, 0])
    assert_refused(
        "value 1 must be 1 or -1, not 0", XnorMac(lanes=2).weights_in(Mode(1, 1)).pack, [1, 0] * 8
    )


def toggled(dut, values, folder):
    """Names of the signals that change while the unit gets these (start, activations, weights)."""
    before = dut.latency + dut.interval

    async def bench(ctx):
        # What an earlier start has left, and the mode.
        ctx.set(dut.i_start, 1)
        ctx.set(dut.i_activations, values[0][1])
        ctx.set(dut.i_weights, values[0][2])
        await ctx.tick()
        ctx.set(dut.i_start, 0)
        await ctx.tick().repeat(before - 1)
        for start, activations, weights in values:
            ctx.set(dut.i_start, start)
            ctx.set(dut.i_activations, activations)
            ctx.set(dut.i_weights, weights)
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    with simulator.write_vcd(str(folder / "trace.vcd")):
        simulator.run()
    # The first edge is at half a period of the clock, of a microsecond.
    return changes(folder / "trace.vcd", since=(2 * before - 1) * FEMTOSECONDS // 2)


FEMTOSECONDS = 10**9
"""Of a clock period."""


def changes(path, since):
    """Signals of a VCD file that change after a time, in fs."""
    names, found, now, unit = {}, set(), 0, 1
    for line in path.read_text().splitlines():
        words = line.split()
        if line.startswith("$timescale"):
            unit = {"1": 1, "10": 10, "100": 100}[words[1]] * {"ps": 1000, "fs": 1}[words[2]]
        elif line.startswith("$var"):
            names.setdefault(words[3], words[4])
        elif line.startswith("#"):
            now = int(line[1:]) * unit
        elif line and line[0] in "01bs" and now > since:
            found.add(names[words[-1] if " " in line else line[1:]])
    return found


INPUTS = {"clk", "i_activations", "i_weights"}
"""And the wires to multipliers that are modules of their own."""


@pytest.mark.parametrize("name", UNITS)
def test_idle_unit_does_not_toggle(name, tmp_path):
    kind, lanes, modes = UNITS[name]
    rng = random.Random(name)
    bits = 8 * lanes
    values = [(0, rng.getrandbits(bits), rng.getrandbits(bits)) for _ in range(50)]
    found = toggled(kind(lanes=lanes, modes=modes), values, tmp_path)
    assert found >= INPUTS
    assert {name.partition("$")[0] for name in found - INPUTS} <= {"i_a", "i_b"}


@pytest.mark.parametrize("name", ["parallel", "bricks", "bricks-square", "serial", "subword"])
def test_zero_activations_keep_all_but_weights_still(name, tmp_path):
    kind, lanes, modes = UNITS[name]
    dut = kind(lanes=lanes, modes=modes)
    rng = random.Random(name)
    steps = dut.steps_in(modes[0])
    values = [(n % steps == 0, 0, rng.getrandbits(8 * lanes)) for n in range(50)]
    found = toggled(dut, values, tmp_path)
    still = ("i_start", "running", "first", "pending", "step", "weight", "i_weights")
    multiplier = {"i_b", "b"}  # the weight, in a module of its own
    moving = {name for name in found if not name.startswith(still)}
    moving = {name for name in moving if name.partition("$")[0] not in multiplier}
    assert moving <= {"clk"}, moving
