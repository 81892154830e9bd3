"""The sequential array against the machine in integers: random tiles, whole buffers."""

import random

import numpy as np
import pytest
from amaranth.sim import Simulator

from hwgen.compiler.program import Step
from hwgen.config import load
from hwgen.isa.instructions import by_name
from hwgen.isa.parameters import RECORD, RECORD_BYTES
from hwgen.memory import collision_checks
from hwgen.rtl.sequential import SequentialArray
from hwgen.rtl.sequential.drain import DrainUnit
from hwgen.rtl.sequential.passes import PassUnit
from hwgen.simulator.machine import Machine

LOAD_PLACES = {
    "planes": 1,
    "rows": 1,
    "row_stride": 0,
    "plane_stride": 0,
    "buffer_row_stride": 0,
    "buffer_plane_stride": 0,
    "base": 0,
    "buffer": 0,
}


def random_pass(rng, config):
    """A PASS whose fields are in range and belong together, small more often than large."""
    array, memory = config.array, config.memory
    slots = rng.randint(1, array.slots)
    positions = rng.choice([1, 2, rng.randint(1, array.rows // slots)])
    width = rng.choice([1, positions, rng.randint(1, positions)])
    kernel = [rng.choice([1, 1, 2, 3, 15]) for _ in range(2)]
    planes = rng.randint(1, 3)
    while planes * kernel[0] * kernel[1] > 60:
        kernel[rng.randrange(2)] = 1
    stride = rng.choice([1, 1, 2, 7])
    images = rng.random() < 0.4
    in_rows = rng.randint(stride if images else 1, 12)
    pad = [rng.choice([0, 1, rng.randint(-32, 31)]) for _ in range(2)]
    return {
        "first": rng.random() < 0.5,
        "thresholds": 0,
        "gate": 0,
        "conditional": 0,
        "bank": rng.randint(0, 1),
        "signed": rng.randint(0, 1),
        "clear_counts": 0,
        "mask": rng.choice([255, 255, rng.randint(0, 255)]),
        "slots": slots,
        "positions": positions,
        "width": width,
        "step_rows": int(width == 1),
        "step_columns": int(width != 1),
        "diagonal": 0,
        "planes": planes,
        "kernel_rows": kernel[0],
        "kernel_columns": kernel[1],
        "stride": stride,
        "in_rows": in_rows,
        "in_columns": rng.choice([rng.randint(1, 40), 1023]),
        "images": images,
        "pad_top": pad[0],
        "pad_left": pad[1],
        "input": rng.randrange(memory.activation_words),
        "input_plane_stride": rng.randrange(memory.activation_words),
        "weights": rng.randrange(memory.weight_words),
        "chunks": planes * kernel[0] * kernel[1],
    }


def random_drain(rng, config, last):
    """A DRAIN of what the last pass of a bank has left."""
    channels = rng.randint(1, config.array.slots)
    low, high = sorted(rng.randint(-256, 255) for _ in range(2))
    return {
        "bank": last["bank"],
        "source": 0,
        "slots": last["slots"],
        "positions": last["positions"],
        "diagonal": 0,
        "channels": channels,
        "output": rng.randrange(config.memory.activation_words),
        "output_plane_stride": rng.randrange(config.memory.activation_words),
        "parameters": rng.randrange(config.memory.parameter_words - config.array.slots + 1),
        "residual": 0,
        "residual_signed": 0,
        "residual_input": 0,
        "low": low,
        "high": high,
    }


def random_records(rng, config):
    """Parameters that put most results between the ends of the range."""
    data = bytearray()
    for _ in range(config.memory.parameter_words):
        shift = rng.randint(1, config.drain.shift_max)
        values = {
            "multiplier": rng.randint(-(1 << 15), (1 << 15) - 1) >> rng.randint(0, 15),
            "shift": shift,
            "bias": rng.randint(-(1 << 47), (1 << 47) - 1) >> max(0, 38 - shift),
            "channel": rng.randint(0, 40),
        }
        record = bytearray(rng.randbytes(RECORD_BYTES))
        for field, low in RECORD:
            if field.name in values:
                size = -(-field.bits // 8)
                record[low : low + size] = values[field.name].to_bytes(
                    size, "little", signed=field.signed
                )
        data += record
    return bytes(data)


async def load_all(ctx, dut, target, data):
    for n in range(len(data) // 4):
        word = int.from_bytes(data[4 * n : 4 * n + 4], "little")
        ctx.set(dut.write_valid, 1)
        address, part = divmod(n, RECORD_BYTES // 4) if target == 2 else (n, 0)
        ctx.set(dut.write, {"target": target, "address": address, "part": part, "data": word})
        await ctx.tick()
    ctx.set(dut.write_valid, 0)


async def stored(ctx, dut, config):
    """All words of the activation buffer."""
    words = []
    for n in range(config.memory.activation_words):
        ctx.set(dut.read_en, 1)
        ctx.set(dut.read_address, n)
        await ctx.tick()
        words.append(ctx.get(dut.read_data))
    ctx.set(dut.read_en, 0)
    return np.array(words, np.uint32).view(np.uint8).reshape(-1, 4)


async def give(ctx, dut, config, step):
    """Run an instruction; returns the cycles."""
    port = {"PASS": dut.passes, "DRAIN": dut.drains}[step.name]
    kept = port.payload.shape().members
    ctx.set(port.payload, {name: value for name, value in step.fields.items() if name in kept})
    ctx.set(port.valid, 1)
    cycles = 1
    while not (await ctx.tick().sample(port.ready))[2]:
        cycles += 1
    ctx.set(port.valid, 0)
    return cycles


def expected_cycles(step):
    f = step.fields
    if step.name == "PASS":
        return PassUnit.cycles(f["chunks"], f["slots"], f["positions"])
    return DrainUnit.cycles(f["slots"], f["channels"], f["positions"])


@pytest.mark.parametrize(
    ("settings", "instructions"),
    [
        ({}, 50),
        ({"array.slots": 1, "array.rows": 16}, 20),
        (
            {
                "array.slots": 7,
                "array.rows": 128,
                "memory.activation_words": 1024,
                "memory.weight_words": 128,
                "drain.shift_max": 47,
            },
            20,
        ),
    ],
)
def test_tiles(settings, instructions):
    """Buffers begin with random bytes; passes and drains follow each other with and without a
    pause, and the field that no instruction has is never told apart from the one that has.
    """
    config = load("micro").override(settings)
    rng = random.Random(len(settings) + 1)
    memory = config.memory
    contents = [
        rng.randbytes(4 * memory.activation_words),
        rng.randbytes(4 * memory.weight_words),
        random_records(rng, config),
    ]
    machine = Machine(config, bytearray(b"".join(contents)), [0])
    at, steps = 0, []
    for target, data in enumerate(contents):
        words = len(data) // (RECORD_BYTES if target == 2 else 4)
        fields = LOAD_PLACES | {"target": target, "address": at, "words": words}
        machine._execute(Step("LOAD", fields, ""))
        at += len(data)
    passes = {}
    while len(steps) < instructions:
        fields = random_pass(rng, config)
        before = passes.get(fields["bank"])
        if not fields["first"]:
            if before is None:
                continue
            fields |= {name: before[name] for name in ("slots", "positions", "width")}
            fields |= {name: before[name] for name in ("step_rows", "step_columns")}
        passes[fields["bank"]] = fields
        steps.append(Step("PASS", fields, ""))
        if rng.random() < 0.7:
            last = passes[rng.choice(list(passes))]
            steps.append(Step("DRAIN", random_drain(rng, config, last), ""))

    dut = SequentialArray(config)

    async def bench(ctx):
        for target, data in enumerate(contents):
            await load_all(ctx, dut, target, data)
        for n, step in enumerate(steps):
            machine._execute(step)
            assert await give(ctx, dut, config, step) == expected_cycles(step), step
            if rng.random() < 0.3:
                await ctx.tick().repeat(rng.randint(1, 5))
            if step.name == "DRAIN":
                np.testing.assert_array_equal(
                    await stored(ctx, dut, config), machine._activations, f"{n}: {step}"
                )

    with collision_checks():
        simulator = Simulator(dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()
    assert sum(step.name == "DRAIN" for step in steps) > 5


def test_instructions_are_the_machine_s():
    """No field of an instruction is missing in the tests."""
    config = load("micro")
    rng = random.Random(0)
    fields = random_pass(rng, config)
    for name, found in (("PASS", fields), ("DRAIN", random_drain(rng, config, fields))):
        assert found.keys() == {f.name for f in by_name(name).fields if not f.optional}
