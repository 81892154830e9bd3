"""The requantizer: an operand a cycle, random, at the ends of its ranges, and at ties."""

import random
from collections import deque

import cocotb
from cocotb.triggers import FallingEdge

from hwgen.isa.parameters import BIAS_BITS, RESIDUAL_BITS
from hwgen.rtl.drain.requantizer import Requantizer, requantizer_input

from . import power_on

MULTIPLIER_BITS, SHIFT_MAX = 16, 31
BLOCK = Requantizer(multiplier_bits=MULTIPLIER_BITS, shift_max=SHIFT_MAX)
LAYOUT = requantizer_input(MULTIPLIER_BITS, SHIFT_MAX)
BITS = {
    "acc": 32,
    "multiplier": MULTIPLIER_BITS,
    "residual": 9,
    "residual_multiplier": RESIDUAL_BITS,
    "bias": BIAS_BITS,
}


def operands(rng: random.Random) -> dict[str, int]:
    """Operands whose result is within the clamp more often than not, or at the ends of ranges."""
    values = {name: rng.getrandbits(bits) - (1 << bits - 1) for name, bits in BITS.items()}
    values["shift"] = rng.randint(1, SHIFT_MAX)
    kind = rng.random()
    if kind < 0.1:
        ends = {name: rng.choice([-(1 << b - 1), (1 << b - 1) - 1]) for name, b in BITS.items()}
        return values | ends
    scale = rng.randint(0, 30)
    values["acc"] >>= scale
    values["residual_multiplier"] >>= scale
    if kind < 0.8:
        # A bias that brings the sum near a small result, exactly between two of them at times.
        product = values["acc"] * values["multiplier"]
        product += values["residual"] * values["residual_multiplier"]
        wanted = (rng.randint(-600, 600) << values["shift"]) >> 1
        bias = wanted - product + rng.choice([0, 0, 1, -1])
        values["bias"] = max(-(1 << BIAS_BITS - 1), min((1 << BIAS_BITS - 1) - 1, bias))
    return values


@cocotb.test
@cocotb.parametrize(clamp=[(-256, 255), (0, 255), (-128, 127)])
async def results_follow_the_model(dut, clamp):
    """The result of an operand comes ``latency`` cycles later, bit by bit what the model says."""
    low, high = clamp
    rng = random.Random(low)
    await power_on(dut, low=low & 0x1FF, high=high, i=0)
    due = deque([None] * BLOCK.latency)
    inside = 0
    for _ in range(1500):
        await FallingEdge(dut.clk)
        wanted = due.popleft()
        if wanted is not None:
            assert dut.o.value.to_signed() == wanted
            inside += low < wanted < high
        values = operands(rng)
        dut.i.value = LAYOUT.const(values).as_bits()
        due.append(Requantizer.model(**values, low=low, high=high))
    assert inside > 300
