"""A group among its neighbours: a program on hardware and model, with random stalls."""

import random
from dataclasses import dataclass, field

from amaranth.sim import Simulator

from hwgen.config import load
from hwgen.memory import collision_checks
from hwgen.rtl.commands import group_command
from hwgen.rtl.group import Group
from hwgen.rtl.group.model import Item
from hwgen.rtl.mac import facts

__all__ = [
    "SHAPES",
    "STALLS",
    "Drain",
    "GroupBench",
    "Pass",
    "Stalls",
    "configuration",
    "operands",
    "widths",
]


@dataclass
class Pass:
    """A command.

    ``thresholds`` are sent before its first chunk; ``limits`` are those that its gate compares
    with, sent with it or with an earlier pass. So many ``drains`` must be over before it may be
    sent.
    """

    command: dict
    chunks: list
    thresholds: list | None = None
    limits: list | None = None
    drains: int = 0


@dataclass
class Drain:
    """A drain command, to be sent when all passes before it in the program are done."""

    command: dict


@dataclass
class Stalls:
    """Probability of a pause in each cycle, for each party."""

    vectors: float = 0.0
    chain: float = 0.0
    weights: float = 0.0
    items: float = 0.0
    commands: float = 0.0


SHAPES = {
    "tiny": {"array.clusters": 2},
    "one-engine": {
        "array.engines": 2,
        "array.group": 1,
        "array.slots": 3,
        "array.lanes": 4,
        "memory.weight_slots": 1,
    },
    "four-engines": {
        "array.engines": 8,
        "array.group": 4,
        "array.slots": 5,
        "array.lanes": 2,
        "memory.weight_slots": 2,
        "memory.weight_words": 1024,
        "memory.parameter_words": 64,
    },
    "one-slot": {
        "array.engines": 4,
        "array.group": 2,
        "array.slots": 1,
        "array.lanes": 4,
        "array.queue": 3,
        "array.rows": 16,
        "memory.weight_slots": 2,
    },
    "deep": {"array.deep_pipeline": True, "array.clusters": 1},
    "eight-engines": {
        "array.engines": 8,
        "array.group": 8,
        "array.slots": 2,
        "array.lanes": 8,
        "array.queue": 5,
        "array.rows": 32,
        "memory.weight_slots": 4,
    },
}
STALLS = {
    "none": Stalls(),
    "some": Stalls(vectors=0.3, chain=0.3, weights=0.3, items=0.3, commands=0.3),
    "vectors": Stalls(vectors=0.7, chain=0.1),
    "weights": Stalls(weights=0.6),
    "items": Stalls(items=0.7, chain=0.7),
}


def configuration(shape, gated, mac="parallel", modes=()):
    settings = {"array.gated": gated, "array.mac": mac, "array.modes": list(modes)}
    return load("tiny", SHAPES[shape] | settings)


def widths(rng, config):
    """The fields of a command that say how wide its operands are."""
    fields = {"mode": rng.randrange(len(facts(config).modes)), "sum_shift": rng.randrange(8)}
    return {name: fields[name] for name in fields if name in group_command(config).members}


def operands(rng, config, vectors, slots, mode=0):
    """A chunk in a mode: random vectors, random weights by slot."""
    unit = facts(config)
    mode = unit.modes[mode]

    def packed(placement):
        top = 1 << placement.width - 1
        numbers = [rng.randrange(-top, top) for _ in range(placement.lanes)]
        if placement.bipolar:
            numbers = [rng.choice([-1, 1]) for _ in range(placement.lanes)]
        return placement.pack(numbers).to_bytes(config.array.lanes, "little")

    return (
        [list(packed(unit.activations_in(mode))) for _ in range(vectors)],
        [
            [(byte ^ 0x80) - 0x80 for byte in packed(unit.weights_in(mode))]
            for _ in range(config.array.group * slots)
        ],
    )


@dataclass
class Outcome:
    """What the hardware did."""

    cycles: int = 0
    drained: list = field(default_factory=list)
    decided: list = field(default_factory=list)
    done_at: list = field(default_factory=list)
    released_at: list = field(default_factory=list)
    busy: list = field(default_factory=list)
    status: dict = field(default_factory=dict)
    counts: list = field(default_factory=list)


class GroupBench:
    """Runs a program, a list of :class:`Pass` and :class:`Drain`, and compares with the model.

    ``build(model)`` yields the steps; the model has run all steps before the one that is asked
    for, so that a conditional pass can be given the vectors of the positions that fired.
    """

    def __init__(self, config, build, *, seed, stalls=None, index=None):
        self.config = config
        self.rng = random.Random(seed)
        self.stalls = stalls or Stalls()
        self.index = self.rng.randrange(config.groups) if index is None else index
        self.dut = Group(config)
        self.model = self.dut.model()
        self.program = []
        self.expected = []
        for step in build(self.model):
            self.program.append(step)
            if isinstance(step, Pass):
                self.model.run(step.command, step.chunks, step.limits)
            else:
                self.expected.append(self.model.drain(step.command))
        self.passes = [step for step in self.program if isinstance(step, Pass)]

    # What goes in, flattened.

    def vectors(self):
        """(data, want) of the whole run, with vectors for other groups in between."""
        mine = 1 << self.index
        others = ((1 << self.config.groups) - 1) & ~mine
        for step in self.passes:
            for vectors, _ in step.chunks:
                for vector in vectors:
                    while self.config.array.gated and others and self.rng.random() < 0.2:
                        yield self.rng.getrandbits(8 * self.config.array.lanes), others
                    want = mine | (self.rng.getrandbits(self.config.groups) & others)
                    yield int.from_bytes(bytes(vector), "little"), want

    def weight_words(self, step, number):
        """What the weight words of a chunk (numbered over the whole run) have for this group."""
        config = self.config
        bank = number % 2
        _, weights = step.chunks[number - self.first_chunk(step)]

        def words(values, per_word, bits):
            for start in range(0, len(values), per_word):
                yield sum(
                    (v & ((1 << bits) - 1)) << bits * n
                    for n, v in enumerate(values[start:][:per_word])
                )

        def broadcast(values, per_word, bits, thresholds):
            for index, word in enumerate(words(values, per_word, bits)):
                yield {"data": word, "index": index, "bank": bank, "thresholds": thresholds}

        if step.thresholds is not None and number == self.first_chunk(step):
            per_word = min(config.array.group, config.weight_part_bits // 32)
            yield from broadcast(step.thresholds, per_word, 32, 1)
        packed = [sum((w & 0xFF) << 8 * r for r, w in enumerate(row)) for row in weights]
        yield from broadcast(packed, config.memory.weight_slots, 8 * config.array.lanes, 0)

    def first_chunk(self, step):
        """Number of the step's first chunk over the whole run."""
        before = self.passes[: next(n for n, other in enumerate(self.passes) if other is step)]
        return sum(len(other.chunks) for other in before)

    def run(self, *, limit=20_000):
        """Simulate and compare everything; returns the :class:`Outcome`."""
        self.outcome = Outcome()
        self.sent, self.forwarded = [], []
        self.loaded = self.released = 0
        with collision_checks():
            simulator = Simulator(self.dut)
            simulator.add_clock(1e-6)
            for party in (
                self.send_vectors,
                self.take_chain,
                self.send_weights,
                self.send_commands,
                self.drain,
                self.watch,
            ):
                simulator.add_testbench(party, background=True)

            async def until_all_is_over(ctx):
                ctx.set(self.dut.index, self.index)
                while not self.over():
                    await ctx.tick()
                    self.outcome.cycles += 1
                    assert self.outcome.cycles < limit, "the program does not end"
                for _ in range(30):  # nothing may follow
                    await ctx.tick()
                if self.config.array.gated:
                    await self.read_counts(ctx)

            simulator.add_testbench(until_all_is_over)
            simulator.run()
        self.compare()
        return self.outcome

    def over(self):
        return (
            len(self.outcome.done_at) == len(self.passes)
            and len(self.outcome.drained) == len(self.expected)
            and self.all_sent
            and len(self.forwarded) == len(self.passed_on)
            and self.released == sum(len(step.chunks) for step in self.passes)
        )

    @property
    def passed_on(self):
        """What the next group gets, if there may be one."""
        return self.sent if self.config.groups > 1 else []

    def compare(self):
        outcome = self.outcome
        for got, expected in zip(outcome.drained, self.expected, strict=True):
            assert got == expected
        assert len(outcome.done_at) == len(self.passes)
        assert self.forwarded == self.passed_on, "the chain lost, doubled or changed a vector"
        assert self.released == sum(len(step.chunks) for step in self.passes)
        assert outcome.decided == self.model.decided
        if self.config.array.gated:
            assert outcome.counts == list(self.model.counts)

    # The parties around the group.

    async def pause(self, ctx, probability):
        while self.rng.random() < probability:
            await ctx.tick()

    async def put(self, ctx, stream, payload):
        ctx.set(stream.payload, payload)
        ctx.set(stream.valid, 1)
        ready = False
        while not ready:
            _, _, ready = await ctx.tick().sample(stream.ready)
        ctx.set(stream.valid, 0)

    async def get(self, ctx, stream):
        ctx.set(stream.ready, 1)
        valid = False
        while not valid:
            _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
        ctx.set(stream.ready, 0)
        return payload

    async def send_vectors(self, ctx):
        self.all_sent = False
        for data, want in self.vectors():
            await self.pause(ctx, self.stalls.vectors)
            await self.put(ctx, self.dut.i, {"data": data, "want": want})
            if not self.config.array.gated:
                want = (1 << self.config.groups) - 1
            self.sent.append((data, want))
        self.all_sent = True

    async def take_chain(self, ctx):
        stream = self.dut.o
        while True:
            await self.pause(ctx, self.stalls.chain)
            payload = await self.get(ctx, stream)
            self.forwarded.append((payload.data, payload.want))

    async def send_weights(self, ctx):
        """As the feeder does: a chunk is sent when one of the two banks is free, new thresholds
        behind a gate when both are.
        """
        dut = self.dut
        number = 0

        async def cycle():
            await ctx.tick()
            ctx.set(dut.weights_valid, 0)
            ctx.set(dut.chunk_loaded, 0)

        gated = False
        for step in self.passes:
            for n in range(len(step.chunks)):
                banks = 1 if gated and step.thresholds is not None and n == 0 else 2
                while number - self.released >= banks:
                    await cycle()
                for word in self.weight_words(step, number):
                    while self.rng.random() < self.stalls.weights:
                        await cycle()
                    ctx.set(dut.weights, word)
                    ctx.set(dut.weights_valid, 1)
                    await cycle()
                # The strobe comes in the cycle after the last word, maybe with the next word.
                ctx.set(dut.chunk_loaded, 1)
                number += 1
                if self.rng.random() < 0.5:
                    await cycle()
            gated = step.command["gate"]
        await cycle()

    async def send_commands(self, ctx):
        for step in self.passes:
            while len(self.outcome.drained) < step.drains:
                await ctx.tick()
            await self.pause(ctx, self.stalls.commands)
            await self.put(ctx, self.dut.command, step.command)

    async def drain(self, ctx):
        stream = self.dut.items
        passes = 0
        for step in self.program:
            if isinstance(step, Pass):
                passes += 1
                continue
            while len(self.outcome.done_at) < passes:
                await ctx.tick()
            await self.pause(ctx, self.stalls.commands)
            await self.put(ctx, self.dut.drain, step.command)
            items = []
            while True:
                await self.pause(ctx, self.stalls.items)
                item = await self.get(ctx, stream)
                if item.some:
                    items.append(Item(item.sum, item.slot, item.position, item.full))
                if item.last:
                    break
            self.outcome.drained.append(items)

    async def read_counts(self, ctx):
        for column in range(self.config.array.slots):
            ctx.set(self.dut.counts_address, column)
            await ctx.tick()
            assert ctx.get(self.dut.counts_valid)
            self.outcome.counts += [int(n) for n in ctx.get(self.dut.counts)]

    async def watch(self, ctx):
        """The strobes."""
        dut, outcome = self.dut, self.outcome
        strobes = [dut.done, dut.chunk_released]
        reasons = ["busy", "starved", "unloaded", "interlocked"]
        signals = strobes + [getattr(dut, name) for name in reasons]
        if self.config.array.gated:
            signals += [dut.decided, dut.any]
        outcome.status = dict.fromkeys(reasons, 0)
        async for _, _, *values in ctx.tick().sample(*signals):
            done, released = values[:2]
            if done:
                outcome.done_at.append(outcome.cycles)
            if released:
                outcome.released_at.append(outcome.cycles)
            self.released += released
            if values[2]:
                outcome.busy.append(outcome.cycles)
            for name, value in zip(reasons, values[2:6], strict=True):
                outcome.status[name] += value
            if self.config.array.gated and values[6]:
                outcome.decided.append(bool(values[7]))
