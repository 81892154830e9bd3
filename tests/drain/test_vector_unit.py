"""The vector unit against its integer model."""

import random

import pytest
from amaranth.sim import Simulator

from hwgen.memory import collision_checks
from hwgen.rtl.vector_unit import VectorUnit

from .benches import ReadPort, Sink, Source, config, random_record, record_bytes, stored

CONFIGS = {
    "four": config(),
    "two": config(
        array={"lanes": 2},
        memory={"weight_slots": 2},
        drain={"multiplier_bits": 24, "shift_max": 47},
    ),
    "sixteen": config(array={"lanes": 16, "clusters": 1}),
}


def instruction(cfg, rng, **fields):
    """A random instruction whose input fits into the buffer."""
    operation = rng.choice((0, 0, 1, 1, 2))
    c = {
        "operation": operation,
        "signed": rng.randrange(2),
        "planes": rng.randint(1, 3),
        "kernel_rows": rng.randint(1, 4),
        "kernel_columns": rng.randint(1, 4),
        "stride": rng.randint(1, 3),
        "in_rows": rng.randint(1, 8),
        "in_columns": rng.randint(1, 8),
        "pad_top": rng.randint(0, 2),
        "pad_left": rng.randint(0, 2),
    }
    if operation == 2:
        c |= {"kernel_rows": 1, "kernel_columns": 1, "stride": 1, "pad_top": 0, "pad_left": 0}
    c |= {k: v for k, v in fields.items() if k in c}

    def size(length, kernel, pad):
        """Of the output; padding behind may be anything up to the kernel."""
        behind = 0 if c["operation"] == 2 else rng.randint(0, kernel - 1)
        return max(1, (length + pad + behind - kernel) // c["stride"] + 1)

    words = cfg.array.clusters * cfg.memory.activation_words
    low, high = sorted(rng.choice([-128, 0, 127, 255, rng.randint(-256, 255)]) for _ in range(2))
    c |= {
        "out_rows": size(c["in_rows"], c["kernel_rows"], c["pad_top"]),
        "out_columns": size(c["in_columns"], c["kernel_columns"], c["pad_left"]),
        "input": rng.randrange(words),
        "second": rng.randrange(words),
        "output": rng.randrange(words),
        "parameters": rng.randrange(cfg.memory.parameter_words),
        "low": low,
        "high": high,
    }
    return c | fields


def taps(c):
    """Cycles that the walk of an instruction takes."""
    window = c["kernel_rows"] * c["kernel_columns"] + (c["operation"] == 2)
    return c["planes"] * c["out_rows"] * c["out_columns"] * window


def run(cfg, commands, rng, *, pause, records=None):
    """Run the commands; compare the writes and that ``done`` comes after each. Gives the cycles
    of each."""
    dut = VectorUnit(cfg)
    words = cfg.array.clusters * cfg.memory.activation_words
    lanes = cfg.array.lanes
    activations = [[rng.randrange(256) for _ in range(lanes)] for _ in range(words)]
    memory = [int.from_bytes(bytes(word), "little") for word in activations]
    if records is None:
        records = {c["parameters"]: random_record(rng, cfg) for c in commands}
    expected = [
        [
            (at, int.from_bytes(bytes(word), "little"))
            for at, word in dut.model(c, records[c["parameters"]], activations)
        ]
        for c in commands
    ]
    cycles = []
    reads = []

    async def bench(ctx):
        await stored(ctx, dut, {i: record_bytes(r) for i, r in records.items()})
        source = Source(dut.command, commands, rng=rng, pause=pause)
        port = ReadPort(dut.request, dut.data, memory, rng=rng, pause=pause)
        sink = Sink(dut.write, rng=rng, pause=pause)
        writes, cycle, began, finished = [], 0, 0, 0
        limit = 400 + 20 * sum(
            taps(c) + lanes * len(e) for c, e in zip(commands, expected, strict=True)
        )
        while finished < len(commands):
            for part in (source, port, sink):
                part.drive(ctx)
            if source.see(ctx) is not None:
                began = cycle
            port.see(ctx)
            write = sink.see(ctx)
            if ctx.get(dut.done):
                assert source.sent == finished + 1
                assert writes == expected[finished]
                assert port.idle
                cycles.append(cycle - began)
                reads.append(port.reads)
                writes, port.reads = [], 0
                finished += 1
            if write is not None:
                assert write.mask == (1 << lanes) - 1
                writes.append((write.address, write.data))
            cycle += 1
            assert cycle < limit, "it hangs"
            await ctx.tick()
        assert not writes

    with collision_checks():
        sim = Simulator(dut)
        sim.add_clock(1e-6)
        sim.add_testbench(bench)
        sim.run()
    return cycles, reads


@pytest.mark.parametrize("pause", [0.0, 0.2, 0.7])
@pytest.mark.parametrize("name", CONFIGS)
def test_random_instructions(name, pause):
    cfg = CONFIGS[name]
    rng = random.Random(f"{name} {pause}")
    run(cfg, [instruction(cfg, rng) for _ in range(12)], rng, pause=pause)
