"""Sources and sinks with random pauses, and a loop that runs them cycle by cycle."""

import random
from collections import deque

from amaranth.sim import Simulator

from hwgen.memory import collision_checks

__all__ = [
    "Memory",
    "Sink",
    "Source",
    "random_diagonal_pass",
    "random_pass",
    "run",
]


class Source:
    """Sends ``items`` into a stream, in each cycle with probability ``rate``; ``sent`` has the
    cycles.
    """

    def __init__(self, port, items=(), *, rate=1.0, seed=0):
        self.port = port
        self.items = deque(items)
        self.sent = []
        self.rate = rate
        self._random = random.Random(seed)
        self._offered = False

    @property
    def over(self):
        return not self.items

    def before(self, ctx):
        """The beginning of a cycle: what is offered."""
        if not self._offered and self.items and self._random.random() < self.rate:
            self._offered = True
            ctx.set(self.port.payload, self.items[0])
        ctx.set(self.port.valid, self._offered)

    def after(self, ctx, cycle):
        """The end of a cycle: whether it was taken."""
        if self._offered and ctx.get(self.port.ready):
            self.items.popleft()
            self.sent.append(cycle)
            self._offered = False


class Sink:
    """Takes from a stream with probability ``rate``, and sees that it keeps the rule of streams.

    ``got`` has the payloads as integers, ``cycles`` when they came.
    """

    def __init__(self, port, *, rate=1.0, seed=0):
        self.port = port
        self.got = []
        self.cycles = []
        self.rate = rate
        self._random = random.Random(seed)
        self._ready = False
        self._pending = None

    def before(self, ctx):
        self._ready = self._random.random() < self.rate
        ctx.set(self.port.ready, self._ready)

    def after(self, ctx, cycle):
        valid = ctx.get(self.port.valid)
        payload = ctx.get(self.port.payload)
        payload = payload if isinstance(payload, int) else payload.as_bits()
        if self._pending is not None:
            assert valid and payload == self._pending, "a payload changed before it was taken"
        self._pending = payload if valid and not self._ready else None
        if valid and self._ready:
            self.got.append(payload)
            self.cycles.append(cycle)


class Memory:
    """A read port of ``words``: answers after ``latency`` cycles or more, with pauses on both
    sides.
    """

    def __init__(self, request, data, words, *, latency=7, rate=1.0, seed=0):
        self.words = words
        self.latency = latency
        self.requests = Sink(request, rate=rate, seed=seed)
        self.answers = Source(data, rate=rate, seed=seed + 1)
        self._taken = 0
        self._waiting = deque()
        self._cycle = 0

    def before(self, ctx):
        while self._waiting and self._waiting[0][0] <= self._cycle:
            self.answers.items.append(self._waiting.popleft()[1])
        self.requests.before(ctx)
        self.answers.before(ctx)

    def after(self, ctx, cycle):
        self._cycle = cycle + 1
        self.answers.after(ctx, cycle)
        self.requests.after(ctx, cycle)
        for address in self.requests.got[self._taken :]:
            self._waiting.append((cycle + self.latency, self.words[address]))
        self._taken = len(self.requests.got)


def random_pass(rng, config, **fields):
    """A PASS with everything that concerns positions, and a tile about as large as they need."""
    clusters = config.array.clusters
    most = clusters * config.positions_per_cluster
    kernel = rng.choice([1, 3, 5, 7])
    width = rng.choice([1, 2, 3, 5, 7, 10])
    stride = rng.randint(1, 3)
    positions = min(most, rng.choice([1, width, 2 * width, most, rng.randint(1, most)]))
    command = {
        "mask": rng.choice([255, 255, 0xF0, 0x0F]),
        "positions": positions,
        "width": width,
        "planes": rng.randint(1, 3) if kernel < 5 else 1,
        "kernel_rows": kernel,
        "kernel_columns": rng.choice([kernel, kernel, 1, 2]),
        "stride": stride,
        "pad_top": rng.randint(-2, kernel),
        "pad_left": rng.randint(-2, kernel),
        "in_rows": max(1, -(-positions // width) * stride + rng.randint(-3, kernel)),
        "in_columns": max(1, width * stride + rng.randint(-3, kernel)),
        "images": 0,
        "input": rng.randrange(clusters * config.memory.activation_words),
        "input_plane_stride": rng.randrange(200),
        "gate": 0,
        "conditional": 0,
    }
    command |= fields
    step_rows = clusters // command["width"]
    if rng.random() < 0.5:
        rows = rng.randint(step_rows + 1, step_rows + 5)
        command |= {"images": 1, "in_rows": rows * command["stride"]}
    return command | {
        "diagonal": 0,
        "step_rows": step_rows,
        "step_columns": clusters % command["width"],
    }


def random_diagonal_pass(rng, config, **fields):
    """A PASS whose positions are dealt along diagonals: whole rows of whole blocks of G."""
    clusters = config.array.clusters
    most = config.positions_per_cluster
    blocks = rng.randint(1, 5)
    rows = rng.randint(1, max(1, most // blocks))
    command = random_pass(rng, config, width=clusters * blocks, positions=clusters * blocks * rows)
    command["in_columns"] = max(1, command["width"] * command["stride"] + rng.randint(-3, 7))
    if not command["images"]:
        command["in_rows"] = max(1, rows * command["stride"] + rng.randint(-3, 7))
    return command | {"diagonal": rng.randint(1, 5)} | fields


def run(dut, parts, *, until, limit, quiet=20):
    """Simulate ``dut`` with its ``parts`` until ``until()``, and ``quiet`` cycles more in case too
    much comes.

    Parts have ``before(ctx)`` and ``after(ctx, cycle)``. More than ``limit`` cycles are a failure.
    """

    async def bench(ctx):
        rest = quiet
        for cycle in range(limit):
            for part in parts:
                part.before(ctx)
            for part in parts:
                part.after(ctx, cycle)
            await ctx.tick()
            if until():
                rest -= 1
                if not rest:
                    return
        raise AssertionError(f"not finished after {limit} cycles")

    with collision_checks():
        sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
