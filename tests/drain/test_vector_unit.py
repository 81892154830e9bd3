"""The vector unit against its integer model."""

import random

import pytest
from amaranth.sim import Simulator

from hwgen.memory import collision_checks
from hwgen.rtl.mac import facts
from hwgen.rtl.vector.tap_walker import TapWalker
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
    "bricks": config(array={"mac": "bricks", "modes": ["8x8", "4x8", "4x4", "2x8", "2x2"]}),
    "xnor": config(array={"mac": "xnor", "lanes": 8}, memory={"weight_slots": 1}),
}


def instruction(cfg, rng, **fields):
    """A random instruction whose input fits into the buffer."""
    packs = facts(cfg).packs
    operation = fields.get("operation", rng.choice((0, 1, 2, 3, 3) if packs else (0, 0, 1, 1, 2)))
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
    if operation == 3:
        unit = facts(cfg)
        placement = unit.activations_in(rng.choice(unit.modes))
        room = placement.stride.bit_length() - 1
        c |= {"kernel_columns": 1, "stride": 1, "pad_top": 0, "pad_left": 0}
        c |= {"kernel_rows": rng.randint(1, 8 >> room), "room": room}
        c |= {"copies": placement.copies.bit_length() - 1}
        c |= {"shift": rng.randrange(8), "bits": rng.randint(1, 8)}
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
    if operation == 3:
        c |= {"out_rows": c["in_rows"], "out_columns": c["in_columns"]}
    return c | fields


def taps(c):
    """Cycles that the walk of an instruction takes."""
    window = c["kernel_rows"] * c["kernel_columns"] + (c["operation"] == 2)
    return c["planes"] * c["out_rows"] * c["out_columns"] * window


def run(cfg, commands, rng, *, pause, records=None, byte=None):
    """Run the commands; compare the writes, and that ``done`` comes after them.

    ``byte``: what the buffer is full of, instead of random bytes. Gives cycles and reads of each.
    """
    dut = VectorUnit(cfg)
    words = cfg.array.clusters * cfg.memory.activation_words
    lanes = cfg.array.lanes
    activations = [
        [rng.randrange(256) if byte is None else byte for _ in range(lanes)] for _ in range(words)
    ]
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
    count = 36 // cfg.array.lanes
    run(cfg, [instruction(cfg, rng) for _ in range(count)], rng, pause=pause)


@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("operation", [0, 1])
def test_windows(operation, kernel):
    """Square windows with their usual padding and stride, and the whole map as a window."""
    rng = random.Random(f"{operation} {kernel}")
    shape = {"operation": operation, "planes": 2, "in_rows": 9, "in_columns": 8}
    square = {"kernel_rows": kernel, "kernel_columns": kernel}
    pad = {"pad_top": kernel // 2, "pad_left": kernel // 2}
    whole = {"kernel_rows": 9, "kernel_columns": 8, "out_rows": 1, "out_columns": 1}
    cfg = CONFIGS["four"]
    commands = [
        instruction(cfg, rng, signed=kernel % 2, stride=2, **shape, **square, **pad),
        instruction(cfg, rng, signed=1 - kernel % 2, **shape, **whole, pad_top=0, pad_left=0),
    ]
    run(cfg, commands, rng, pause=0.1)


def plain(operation, **fields):
    """An instruction of which a test says what it needs."""
    return {
        "operation": operation,
        "signed": 0,
        "planes": 1,
        "kernel_rows": 1,
        "kernel_columns": 1,
        "stride": 1,
        "in_rows": 1,
        "in_columns": 1,
        "pad_top": 0,
        "pad_left": 0,
        "out_rows": 1,
        "out_columns": 1,
        "input": 100,
        "second": 200,
        "output": 300,
        "parameters": 5,
        "low": -128,
        "high": 127,
    } | fields


def test_outside_is_not_read():
    """Taps outside cost no read; a window that has no tap inside is 0, or 0 requantized."""
    cfg, rng = CONFIGS["four"], random.Random(1)
    window = {"kernel_rows": 3, "kernel_columns": 3, "pad_top": 1, "pad_left": 1}
    inside = {"in_rows": 4, "in_columns": 4, "out_rows": 4, "out_columns": 4}
    nowhere = {"kernel_rows": 2, "kernel_columns": 2, "pad_top": 7, "pad_left": 7}
    commands = [
        plain(0, signed=1, **window, **inside),
        plain(1, **window, **inside),
        plain(0, signed=1, **nowhere),
        plain(1, **nowhere),
    ]
    _, reads = run(cfg, commands, rng, pause=0.0)
    assert reads == [100, 100, 0, 0]


def test_largest_sum():
    """127 x 127 taps of 255: the upper bits count."""
    cfg, rng = CONFIGS["two"], random.Random(2)
    largest = {"kernel_rows": 127, "kernel_columns": 127, "in_rows": 127, "in_columns": 127}
    record = random_record(rng, cfg, multiplier=77, bias=5, shift=22)
    run(cfg, [plain(1, **largest)], rng, pause=0.0, records={5: record}, byte=255)


def test_addresses_wrap():
    """The input of every operand, and the output, may go over the end of the buffer."""
    cfg, rng = CONFIGS["four"], random.Random(3)
    last = cfg.array.clusters * cfg.memory.activation_words - 3
    ends = {"input": last, "second": last - 1, "output": last, "in_rows": 3, "in_columns": 3}
    commands = [plain(op, **ends, out_rows=3, out_columns=3) for op in (0, 1, 2)]
    run(cfg, commands, rng, pause=0.3)


def test_far_outside():
    """Windows that begin up to 1022 * 7 columns, or rows, behind the first are still outside."""
    cfg, rng = CONFIGS["two"], random.Random(8)
    window = {"operation": 0, "signed": 1, "stride": 7}
    wide = plain(**window, kernel_columns=2, in_columns=1000, out_columns=1023, pad_left=3)
    high = plain(**window, kernel_rows=2, in_rows=1000, out_rows=1023, pad_top=3)
    _, reads = run(cfg, [wide, high], rng, pause=0.0)
    assert reads[0] == reads[1] < 300


def test_packing_throughput():
    """A cycle for each word that goes in, and every word is read."""
    cfg = CONFIGS["xnor"]
    rng = random.Random(6)
    fields = {"kernel_rows": 8, "in_rows": 4, "out_rows": 4, "in_columns": 8, "out_columns": 8}
    how = {"room": 0, "copies": 0, "shift": 0, "bits": 1}
    once, twice = (plain(3, **fields, **how, planes=n) for n in (1, 2))
    (first, second), reads = run(cfg, [once, twice], rng, pause=0.0)
    assert reads == [256, 512]
    assert second - first == 256


@pytest.mark.parametrize(
    ("operation", "kernel", "cycles"),
    [
        (0, 1, 1),
        (0, 2, 4),
        (0, 3, 9),
        (1, 1, 4),  # R cycles for R lanes
        (1, 2, 4),
        (1, 3, 9),
        (2, 1, 4),
    ],
)
def test_throughput(operation, kernel, cycles):
    """Cycles a word, and a set-up that does not depend on the size; padding is as fast as input."""
    cfg = CONFIGS["four"]
    rng = random.Random(4)

    def took(rows):
        pad = kernel // 2
        square = {"kernel_rows": kernel, "kernel_columns": kernel, "pad_top": pad, "pad_left": pad}
        size = {"in_rows": rows, "in_columns": 8, "out_rows": rows, "out_columns": 8}
        ((used,), _) = run(cfg, [plain(operation, **size, **square)], rng, pause=0.0)
        return used

    once, twice = took(4), took(8)
    assert twice - once == 32 * cycles
    # Set-up, walk, queues, buffer, reduction, requantization, and the write.
    assert once - 32 * cycles <= TapWalker.setup + 28
