"""A vector of small numbers takes the steps that it needs, and the sum is the same."""

import random

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hwgen.config import load
from hwgen.errors import UserError
from hwgen.rtl.mac import Mode, PlaneCounter, PlaneTrimmer, SerialMac

LANES = 4
EVERY = [Mode(bits, 8) for bits in range(1, 9)]
FEW = [Mode(8, 8), Mode(2, 8), Mode(5, 8), Mode(5, 4)]


class Trimmed(wiring.Component):
    """A counter and a trimmer before a unit."""

    def __init__(self, modes):
        self.modes, self.unit = modes, SerialMac(lanes=LANES, modes=modes)
        ports = ("i_start", "i_mode", "i_activations", "i_signed", "i_weights")
        members = {name: In(self.unit.signature.members[name].shape) for name in ports}
        super().__init__({**members, "o_sum": Out(self.unit.signature.members["o_sum"].shape)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.counter = counter = PlaneCounter(lanes=LANES)
        m.submodules.trimmer = self.trimmer = PlaneTrimmer(lanes=LANES, modes=self.modes)
        m.submodules.unit = unit = self.unit
        m.d.comb += [
            counter.i.eq(self.i_activations),
            self.trimmer.i_planes.eq(counter.o),
            self.trimmer.i_activations.eq(self.i_activations),
            self.trimmer.i_signed.eq(self.i_signed),
            self.trimmer.i_mode.eq(self.i_mode),
            unit.i_start.eq(self.i_start),
            unit.i_signed.eq(self.i_signed),
            unit.i_weights.eq(self.i_weights),
            unit.i_mode.eq(self.trimmer.o_mode),
            unit.i_activations.eq(self.trimmer.o_activations),
            self.o_sum.eq(unit.o_sum),
        ]
        return m


def numbers(rng, most, signed):
    """Numbers of up to ``most`` bits that need the same random number of bits at most."""
    bits = rng.randrange(most + 1)
    if signed:
        return [rng.randrange(-(1 << bits) // 2, (1 << bits) // 2 or 1) for _ in range(LANES)]
    return [rng.randrange(1 << bits) for _ in range(LANES)]


@pytest.mark.parametrize("modes", [EVERY, FEW], ids=["1-8", "few"])
def test_sums_are_the_same_in_fewer_steps(modes):
    dut = Trimmed(modes)
    rng = random.Random(len(modes))
    used = set()

    async def bench(ctx):
        for _ in range(400):
            mode, signed = rng.randrange(len(modes)), rng.randrange(2)
            bits = modes[mode].activations
            activations = numbers(rng, bits, signed)
            weights = [rng.randrange(-128, 128) for _ in range(LANES)]
            stored = [a << 8 - bits & 255 for a in activations]
            chosen = PlaneTrimmer.model(modes, mode, PlaneCounter.model(stored, bool(signed)))
            # As few bits as any mode that holds all of them.
            needs = max((a ^ -1 if a < 0 else a).bit_length() for a in activations) + signed
            held = [m.activations for m in modes if max(1, needs) <= m.activations <= bits]
            assert modes[chosen].activations == min(held)
            used.add(chosen)
            ctx.set(dut.i_start, 1)
            ctx.set(dut.i_mode, mode)
            ctx.set(dut.i_activations, sum(a << 8 * n for n, a in enumerate(stored)))
            ctx.set(dut.i_signed, signed)
            ctx.set(dut.i_weights, sum((w & 255) << 8 * n for n, w in enumerate(weights)))
            await ctx.delay(1e-9)
            assert ctx.get(dut.unit.i_mode) == chosen
            await ctx.tick()
            ctx.set(dut.i_start, 0)
            ctx.set(dut.i_activations, rng.getrandbits(8 * LANES))
            await ctx.tick().repeat(dut.unit.latency_in(modes[chosen]) - 1)
            await ctx.delay(1e-9)
            sums = sum(a * w for a, w in zip(activations, weights, strict=True))
            assert ctx.get(dut.o_sum) == sums
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert used == set(range(len(modes)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["array.mac=parallel"], "unless array.mac = serial and array.gated = false"),
        (["array.gated=true"], "unless array.mac = serial and array.gated = false"),
        (["array.modes=8x8"], "unless array.modes has several"),
        (["array.modes=16x8,8x8"], "unless array.modes has several, of activations of up to 8"),
    ],
)
def test_arrays_that_cannot_trim(settings, said):
    base = ["array.mac=serial", "array.modes=8x8,4x8", "array.gated=false"]
    names = {setting.partition("=")[0] for setting in settings}
    kept = [setting for setting in base if setting.partition("=")[0] not in names]
    if "array.mac=parallel" in settings:
        kept = ["array.gated=false"]
    with pytest.raises(UserError, match=f"array.trim_planes: must be false {said}"):
        load("tiny", [*kept, *settings, "array.trim_planes=true"])
