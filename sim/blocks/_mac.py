"""A MAC unit of either kind keeps the contract: sums, latency and interval."""

import random

import cocotb
from cocotb.triggers import FallingEdge

from . import power_on


def packed(values: list[int]) -> int:
    """Bytes, the first one lowest."""
    return sum((value & 0xFF) << 8 * n for n, value in enumerate(values))


async def keeps_the_contract(dut, block, *, gap: int):
    """Starts ``block.interval + gap`` cycles apart; operands change right after a start."""
    rng = random.Random(gap)
    await power_on(dut, i_start=0, i_activations=0, i_signed=0, i_weights=0)
    due, compared, lanes = {}, 0, block.lanes
    next_start = 0
    for now in range(60 * (block.interval + gap)):
        await FallingEdge(dut.clk)
        if now in due:
            assert dut.o_sum.value.to_signed() == due.pop(now)
            compared += 1
        signed = rng.random() < 0.5
        extreme = rng.random() < 0.2
        activations = [
            rng.randint(-128, 127) if signed else rng.randint(0, 255) for _ in range(lanes)
        ]
        weights = [rng.randint(-128, 127) for _ in range(lanes)]
        if extreme:
            activations, weights = (
                [-128 if signed else 255] * lanes,
                [rng.choice([-128, 127])] * lanes,
            )
        start = now == next_start
        dut.i_start.value, dut.i_signed.value = int(start), int(signed)
        dut.i_activations.value, dut.i_weights.value = packed(activations), packed(weights)
        if start:
            next_start = now + block.interval + gap
            due[now + block.latency] = block.model(activations, weights, signed)
    assert compared > 50


def tests(block):
    """The cocotb test of a unit."""

    @cocotb.test
    @cocotb.parametrize(gap=[0, 1, 5])
    async def dot_products(dut, gap):
        """Every sum, exactly when it is due."""
        await keeps_the_contract(dut, block, gap=gap)

    return dot_products
