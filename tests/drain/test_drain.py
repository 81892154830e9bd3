"""The drain of a cluster against its integer model, with groups and a buffer that stall."""

import random

import pytest
from amaranth.hdl import Fragment
from amaranth.sim import Simulator

from hwgen.memory import collision_checks
from hwgen.rtl.drain import Drain
from hwgen.rtl.drain.lane import DrainLane

from .benches import ReadPort, Sink, Source, config, random_record, record_bytes, stored

DENSE, FINISHED, TASKS = range(3)

CONFIGS = {
    "one lane": config(),
    "two lanes": config(drain={"lanes": 2}),
    "three groups, two lanes": config(array={"engines": 6, "clusters": 1}, drain={"lanes": 2}),
    "one group": config(array={"engines": 2, "lanes": 8, "clusters": 4}),
    "dense": config(array={"gated": False}, drain={"multiplier_bits": 24, "shift_max": 47}),
}


def test_positions():
    """Every position belongs to one cluster, the one that the instruction set names."""
    dut = Drain(config(array={"clusters": 4}))
    for diagonal in (0, 1, 2, 4):
        for number in range(20):
            of = [dut.position({"diagonal": diagonal}, cluster, number) for cluster in range(4)]
            assert sorted(of) == list(range(4 * number, 4 * number + 4))
            for cluster, p in enumerate(of):
                turned = p + (p // 4 >> (diagonal - 1)) if diagonal else p
                assert turned % 4 == cluster
    Fragment.get(dut, None)


def instruction(cfg, rng, **fields):
    """A random instruction, and records for it."""
    array = cfg.array
    slots = fields.get("slots", rng.randint(1, array.slots))
    block = array.engines * slots
    channels = fields.get("channels", rng.choice([block, rng.randint(1, block)]))
    words = array.clusters * cfg.memory.activation_words
    positions = rng.randint(1, min(30, array.clusters * (array.rows // slots)))
    diagonal = 0
    if positions >= array.clusters and rng.randrange(2):
        positions -= positions % array.clusters
        diagonal = rng.randint(1, 4)
    low, high = sorted(rng.choice([-128, 0, 127, 255, rng.randint(-256, 255)]) for _ in range(2))
    command = {
        "bank": rng.randrange(2),
        "source": rng.randrange(3) if array.gated else DENSE,
        "slots": slots,
        "positions": positions,
        "diagonal": diagonal,
        "channels": channels,
        "output": rng.randrange(words),
        "output_plane_stride": rng.randint(positions, 40),
        "parameters": rng.randint(0, cfg.memory.parameter_words - channels),
        "residual": rng.randrange(2),
        "residual_signed": rng.randrange(2),
        "low": low,
        "high": high,
    } | fields
    if "positions" in fields:
        command["diagonal"] = 0
    # In place, or half a buffer away: nothing of the residual is overwritten by other outputs.
    command["residual_input"] = (command["output"] + rng.randrange(2) * words // 2) % words
    # Channels in any order, some left out.
    planes = words // 2 // command["output_plane_stride"]
    numbers = rng.sample(range(min(planes * array.lanes, 2 * block)), channels)
    records = {
        command["parameters"] + n: random_record(rng, cfg, channel=channel)
        for n, channel in enumerate(numbers)
    }
    return command, records


def group_items(cfg, rng, command, cluster, separate_end):
    """What one group sends, ending with an item that is marked last and may have no sum."""
    clusters = cfg.array.clusters
    positions = (command["positions"] + clusters - 1 - cluster) // clusters
    items = []
    for position in range(positions):
        for slot in range(cfg.array.group * command["slots"]):
            if command["source"] == DENSE or rng.random() < 0.5:
                items.append(
                    {
                        "sum": rng.randint(-(1 << 31), (1 << 31) - 1) >> rng.randint(0, 31),
                        "slot": slot,
                        "position": position,
                        "full": int(command["source"] != FINISHED),
                        "some": 1,
                        "last": 0,
                    }
                )
    if items and not separate_end and rng.randrange(2):
        items[-1]["last"] = 1
    else:
        items.append({"sum": 0, "slot": 0, "position": 0, "full": 0, "some": 0, "last": 1})
    return items


class Group:
    """Takes drain commands and sends the items of each."""

    def __init__(self, commands, items, script, *, rng, pause):
        self.commands = Sink(commands, rng=rng, pause=pause)
        self.items = Source(items, rng=rng, pause=pause)
        self.script = list(script)  # (command, items)

    def drive(self, ctx):
        self.commands.drive(ctx)
        self.items.drive(ctx)

    def see(self, ctx):
        self.items.see(ctx)
        command = self.commands.see(ctx)
        if command is not None:
            assert not self.items.waiting
            expected, items = self.script.pop(0)
            assert command == expected
            self.items.waiting.extend(items)


def run(cfg, commands, rng, *, pause, latency=2, cluster=None, separate_end=False):
    """Run the instructions; compare the bytes, and that ``done`` comes after the last of each.

    Gives the cycles of each instruction and the sums that the groups have sent for it.
    """
    dut = Drain(cfg)
    clusters, lanes = cfg.array.clusters, cfg.array.lanes
    cluster = rng.randrange(clusters) if cluster is None else cluster
    words = clusters * cfg.memory.activation_words
    before = [[rng.randrange(256) for _ in range(lanes)] for _ in range(words)]
    memory = [int.from_bytes(bytes(word), "little") for word in before]
    items = [
        [group_items(cfg, rng, command, cluster, separate_end) for _ in range(cfg.groups)]
        for command, _ in commands
    ]
    cycles = []

    async def bench(ctx):
        ctx.set(dut.cluster, cluster)
        source = Source(dut.command, rng=rng, pause=pause)
        groups = [
            Group(
                dut.group_commands[j],
                dut.items[j],
                [
                    (group_command(command, clusters, cluster), sent[j])
                    for (command, _), sent in zip(commands, items, strict=True)
                ],
                rng=rng,
                pause=pause,
            )
            for j in range(cfg.groups)
        ]
        ports = [
            ReadPort(request, data, memory, rng=rng, pause=pause, latency=latency)
            for request, data in zip(dut.requests, dut.residuals, strict=True)
        ]
        writes = [Sink(port, rng=rng, pause=pause) for port in dut.writes]
        for number, (command, records) in enumerate(commands):
            await stored(ctx, dut, {i: record_bytes(r) for i, r in records.items()})
            held = [list(word.to_bytes(lanes, "little")) for word in memory]
            expected = dut.model(command, cluster, items[number], records, held)
            source.waiting.append(command)
            written, cycle, done = {}, 0, False
            while not done:
                for part in (source, *groups, *ports, *writes):
                    part.drive(ctx)
                for part in (source, *groups, *ports):
                    part.see(ctx)
                if ctx.get(dut.done):
                    assert source.sent == number + 1
                    assert written == expected
                    assert all(port.idle for port in ports)
                    done = True
                for sink in writes:
                    write = sink.see(ctx)
                    if write is not None:
                        byte = write.mask.bit_length() - 1
                        assert write.mask == 1 << byte
                        value = (write.data >> (8 * byte)) & 0xFF
                        assert (write.address, byte) not in written
                        written[write.address, byte] = value
                        word = memory[write.address] & ~(0xFF << (8 * byte))
                        memory[write.address] = word | value << (8 * byte)
                cycle += 1
                assert cycle < 20000, "it hangs"
                await ctx.tick()
            assert written == expected, "written after done"
            cycles.append(cycle)
        assert not any(group.script for group in groups)

    with collision_checks():
        sim = Simulator(dut)
        sim.add_clock(1e-6)
        sim.add_testbench(bench)
        sim.run()
    sums = [[sum(item["some"] for item in group) for group in groups] for groups in items]
    return cycles, sums


def group_command(command, clusters, cluster):
    """What the groups are to be told."""
    positions = (command["positions"] + clusters - 1 - cluster) // clusters
    return {k: command[k] for k in ("bank", "source", "slots")} | {"positions": positions}


@pytest.mark.parametrize("pause", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("name", CONFIGS)
def test_random_instructions(name, pause):
    cfg = CONFIGS[name]
    rng = random.Random(f"{name} {pause}")
    run(cfg, [instruction(cfg, rng) for _ in range(6)], rng, pause=pause)


@pytest.mark.parametrize(
    ("name", "lanes", "residual", "latency"),
    [
        ("one lane", 1, 0, 2),
        ("one lane", 1, 1, DrainLane.residual_cycles),
        ("two lanes", 2, 0, 2),
        ("two lanes", 2, 1, 2),
        ("dense", 1, 1, 2),
    ],
)
def test_throughput(name, lanes, residual, latency):
    """A sum a cycle and lane; what comes before and after does not depend on their number."""
    cfg = CONFIGS[name]

    def took(positions):
        rng = random.Random(5)
        command = instruction(
            cfg, rng, source=DENSE, slots=2, channels=8, positions=positions, residual=residual
        )
        arguments = {"pause": 0.0, "latency": latency, "cluster": 0, "separate_end": True}
        ((cycles,), ((sums, *_),)) = run(cfg, [command], rng, **arguments)
        return cycles, sums * cfg.groups // lanes

    (few_cycles, few), (many_cycles, many) = took(6), took(24)
    assert many - few == 9 * 8 // lanes
    assert many_cycles - few_cycles == many - few
    assert few_cycles - few <= 30 + latency


def test_slow_buffer():
    """Residuals that come later than ``residual_cycles`` slow the lane, and nothing gets lost."""
    cfg, rng = CONFIGS["one lane"], random.Random(6)
    command = instruction(cfg, rng, source=DENSE, slots=4, channels=16, positions=30, residual=1)
    slow = 3 * DrainLane.room
    ((cycles,), ((sums, *_),)) = run(cfg, [command], rng, pause=0.0, latency=slow, cluster=0)
    assert cycles > sums * cfg.groups * slow / DrainLane.room


def test_nothing_to_drain():
    """A cluster without positions, and one none of whose outputs is wanted, are done as well."""
    cfg, rng = CONFIGS["one lane"], random.Random(7)
    commands = [
        instruction(cfg, rng, positions=1, source=DENSE),
        instruction(cfg, rng, positions=1, source=TASKS),
        instruction(cfg, rng, positions=2, channels=1, slots=4, source=DENSE),
    ]
    _, sums = run(cfg, commands, rng, pause=0.2, cluster=1)
    assert sums[0] == sums[1] == [0, 0]
