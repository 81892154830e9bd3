"""A vector of small numbers takes the steps that it needs, and the sum is the same."""

import random

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hwgen.rtl.mac import Mode, PlaneTrimmer, SerialMac

from ..refusal import assert_refused

LANES = 4
EVERY = [Mode(bits, 8) for bits in range(1, 9)]


class Trimmed(wiring.Component):
    """A trimmer before a unit."""

    def __init__(self, modes):
        self.trimmer = PlaneTrimmer(lanes=LANES, modes=modes)
        self.unit = SerialMac(lanes=LANES, modes=modes)
        ports = ("i_start", "i_activations", "i_signed", "i_weights")
        members = {name: In(self.unit.signature.members[name].shape) for name in ports}
        super().__init__({**members, "o_sum": Out(self.unit.signature.members["o_sum"].shape)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.trimmer = trimmer = self.trimmer
        m.submodules.unit = unit = self.unit
        for name in ("i_start", "i_activations", "i_signed"):
            m.d.comb += getattr(trimmer, name).eq(getattr(self, name))
        for name in ("i_start", "i_signed", "i_weights"):
            value = getattr(self, name)
            for cycle in range(trimmer.latency):
                later = Signal.like(value, name=f"{name}{cycle}")
                m.d.sync += later.eq(value)
                value = later
            m.d.comb += getattr(unit, name).eq(value)
        m.d.comb += [
            unit.i_mode.eq(trimmer.o_mode),
            unit.i_activations.eq(trimmer.o_activations),
            self.o_sum.eq(unit.o_sum),
        ]
        return m


def vector(rng, signed):
    """Numbers that need the same random number of bits at most."""
    bits = rng.randrange(9)
    if signed:
        return [rng.randrange(-(1 << bits) // 2, (1 << bits) // 2 or 1) for _ in range(LANES)]
    return [rng.randrange(1 << bits) for _ in range(LANES)]


@pytest.mark.parametrize("modes", [EVERY, [Mode(8, 8), Mode(2, 8), Mode(5, 8)]], ids=["1-8", "few"])
def test_sums_are_the_same_in_fewer_steps(modes):
    dut = Trimmed(modes)
    rng = random.Random(len(modes))
    starts = [
        (vector(rng, s), [rng.randrange(-128, 128) for _ in range(LANES)], s)
        for s in (rng.randrange(2) for _ in range(400))
    ]
    used = set()

    async def bench(ctx):
        for activations, weights, signed in starts:
            mode = dut.trimmer.model(activations, bool(signed))
            used.add(mode)
            low, high = (
                (-(1 << mode.activations - 1), (1 << mode.activations - 1))
                if signed
                else (0, 1 << mode.activations)
            )
            assert all(low <= a < high for a in activations)
            bytes_in = sum((a & 255) << 8 * n for n, a in enumerate(activations))
            ctx.set(dut.i_start, 1)
            ctx.set(dut.i_activations, bytes_in)
            ctx.set(dut.i_signed, signed)
            ctx.set(dut.i_weights, dut.unit.weights_in(mode).pack(weights))
            await ctx.tick()
            ctx.set(dut.i_start, 0)
            ctx.set(dut.i_activations, rng.getrandbits(8 * LANES))
            await ctx.tick().repeat(dut.trimmer.latency - 1)
            assert ctx.get(dut.unit.i_mode) == modes.index(mode)
            await ctx.tick().repeat(dut.unit.latency_in(mode))
            assert ctx.get(dut.o_sum) == sum(
                a * w for a, w in zip(activations, weights, strict=True)
            )

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert used == set(modes)


def test_mode_for_every_byte():
    assert_refused("activations of 8 bits", PlaneTrimmer, lanes=4, modes=[Mode(4, 8)])
