"""The vector queue: two heads, random pushes and pops, against a deque."""

import random
from collections import deque

import cocotb
from cocotb.triggers import FallingEdge

from hwgen.rtl.group.queue import VectorQueue

from . import power_on

DEPTH, WIDTH = 5, 24
BLOCK = VectorQueue(depth=DEPTH, width=WIDTH)


@cocotb.test
@cocotb.parametrize(pushing=[0.3, 1.0], popping=[0.3, 1.0])
async def first_in_first_out(dut, pushing, popping):
    """Level, heads and readiness in every cycle; what a full queue is offered is not taken."""
    rng = random.Random(int(10 * pushing + 100 * popping))
    await power_on(dut, push=0, data=0, pops=0)
    waiting, levels = deque(), set()
    for _ in range(800):
        await FallingEdge(dut.clk)
        assert int(dut.level.value) == len(waiting)
        assert int(dut.ready.value) == (len(waiting) < DEPTH)
        for head, value in zip((dut.head0, dut.head1), waiting, strict=False):
            assert int(head.value) == value
        levels.add(len(waiting))
        push, value = rng.random() < pushing, rng.getrandbits(WIDTH)
        pops = rng.randint(0, min(2, len(waiting))) if rng.random() < popping else 0
        dut.push.value, dut.data.value, dut.pops.value = int(push), value, pops
        accepted = push and len(waiting) < DEPTH
        for _ in range(pops):
            waiting.popleft()
        if accepted:
            waiting.append(value)
    assert len(levels) > 2 and (max(levels) == DEPTH or pushing <= popping)
