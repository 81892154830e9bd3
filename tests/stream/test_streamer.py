"""The streamer, and the task index it walks in conditional passes, against the model."""

import random
from collections import deque

import pytest
from amaranth import Module
from amaranth.lib import wiring

from hwgen.config import load
from hwgen.rtl.activation_buffer import ActivationBuffer
from hwgen.rtl.mac import facts
from hwgen.rtl.streamer import Streamer, positions_of
from hwgen.rtl.task_index import TaskIndex

from .benches import Memory, Sink, Source, random_diagonal_pass, random_pass, run

READ = 7
"""Cycles that a read takes, as in the activation buffer."""

STALLS = {"none": (1, 1), "chain": (0.4, 1), "memory": (1, 0.4), "both": (0.6, 0.6)}


def configuration(clusters, gated=True):
    """Two groups, sixteen positions a cluster."""
    return load(
        "tiny",
        {
            "array.clusters": clusters,
            "array.engines": 4,
            "array.gated": gated,
            "memory.activation_words": 256,
        },
    )


class Deciders:
    """The gates of the groups of a cluster: each decides a position some time after its last vector
    has come.
    """

    def __init__(self, index, groups, sink, *, rate, seed):
        self.index = index
        self.sink = sink
        self.due = [deque() for _ in range(groups)]  # (vectors that must have come, decision)
        self._random = random.Random(seed)
        self._rate = rate

    def before(self, ctx):
        decided = fired = 0
        for j, due in enumerate(self.due):
            if due and due[0][0] <= len(self.sink.got) and self._random.random() < self._rate:
                decided |= 1 << j
                fired |= due.popleft()[1] << j
        ctx.set(self.index.decided, decided)
        # Without its strobe a bit means nothing.
        ctx.set(self.index.any, fired | self._random.getrandbits(len(self.due)) & ~decided)

    def after(self, ctx, cycle):
        pass


class Bench:
    """A streamer of one cluster with its memory, its task index and the chain behind."""

    def __init__(self, config, cluster, *, chain=1.0, memory=1.0, commands=1.0, decide=0.5, seed=0):
        self.config, self.cluster = config, cluster
        self.dut = Module()
        self.dut.submodules.streamer = self.streamer = Streamer(config)
        rng = random.Random(seed)
        words = config.array.clusters * config.memory.activation_words
        self.words = [rng.getrandbits(config.vector_bits) for _ in range(words)]
        self.sink = Sink(self.streamer.o, rate=chain, seed=seed)
        self.memory = Memory(
            self.streamer.request,
            self.streamer.data,
            self.words,
            latency=READ,
            rate=memory,
            seed=seed,
        )
        self.source = Source(self.streamer.command, rate=commands, seed=seed)
        self.parts = [self.source, self.memory, self.sink, self]
        if config.array.gated:
            self.dut.submodules.index = index = TaskIndex(config)
            wiring.connect(self.dut, self.streamer.tasks, index.list)
            self.deciders = Deciders(index, config.groups, self.sink, rate=decide, seed=seed)
            self.parts.append(self.deciders)
        self.expected = []
        self.sizes = []  # vectors after each command
        self.busy = []
        self.tasks = None

    def send(self, command, fired=None):
        """A command; of a gate pass, ``fired`` has for each position of the cluster which groups
        fire.
        """
        self.source.items.append(command)
        if command["gate"]:
            self.tasks = fired
        before = len(self.expected)
        self.expected += Streamer.model(self.config, command, self.cluster, self.words, self.tasks)
        self.sizes.append(len(self.expected))
        if command["gate"]:
            chunk = len(fired)
            assert (len(self.expected) - before) % max(1, chunk) == 0
            for number, groups in enumerate(fired):
                for j in range(self.config.groups):
                    due = len(self.expected) - chunk + number + 1
                    self.deciders.due[j].append((due, groups >> j & 1))

    def positions(self, command):
        return len(positions_of(command, self.cluster, self.config.array.clusters))

    def before(self, ctx):
        ctx.set(self.streamer.cluster, self.cluster)

    def after(self, ctx, cycle):
        self.busy.append(ctx.get(self.streamer.busy))

    def run(self, limit=30000):
        run(
            self.dut,
            self.parts,
            until=lambda: (
                self.source.over and not self.busy[-1] and len(self.sink.got) >= len(self.expected)
            ),
            limit=limit,
        )
        lanes = self.config.vector_bits
        got = [(word & (1 << lanes) - 1, word >> lanes) for word in self.sink.got]
        assert got == self.expected
        # Never idle while a vector is to come.
        for sent, size, before in zip(
            self.source.sent, self.sizes, [0, *self.sizes[:-1]], strict=True
        ):
            if size > before:
                assert all(self.busy[sent + 1 : self.sink.cycles[size - 1] + 1])


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("clusters", [1, 2, 4])
def test_dense(clusters, stalls):
    """Random geometries one after the other: every kernel, stride, padding, widths below and above
    G.
    """
    chain, memory = STALLS[stalls]
    for cluster in {0, clusters - 1}:
        rng = random.Random(f"{clusters} {cluster} {stalls}")
        bench = Bench(
            configuration(clusters, gated=False), cluster, chain=chain, memory=memory, commands=0.5
        )
        for _ in range(4):
            bench.send(random_pass(rng, bench.config))
            bench.send(random_diagonal_pass(rng, bench.config))
        bench.run()


def test_aligned():
    """Activations that units want at the top of a byte, dense and gated."""
    config = configuration(2).override({"array.mac": "serial", "array.modes": ["8x8", "3x8"]})
    rng = random.Random(5)
    bench = Bench(config, 1, chain=0.6, memory=0.6)
    for align in (3, 0, 7):
        bench.send(random_pass(rng, config, align=align))
        gated_tile(bench, rng, 0.5, conditionals=2)
    bench.run()


def gated_tile(bench, rng, density, conditionals):
    """A base pass, a gate pass, and conditional passes, as the compiler makes them."""
    tile = rng.choice([random_pass, random_diagonal_pass])(rng, bench.config, mask=0xF0)
    if facts(bench.config).aligns:
        tile["align"] = rng.randrange(8)
    base = {"planes": 1, "kernel_rows": 1, "kernel_columns": 2}
    bench.send(tile | base)
    # The gate's own pass is the last tap; what was cut off is paid by the padding.
    gate = {"planes": 1, "kernel_rows": 1, "kernel_columns": 1, "pad_left": tile["pad_left"] - 2}
    everyone = (1 << bench.config.groups) - 1
    fired = [
        rng.choice([everyone, rng.randint(1, everyone)]) if rng.random() < density else 0
        for _ in range(bench.positions(tile))
    ]
    bench.send(tile | gate | {"gate": 1}, fired)
    for _ in range(conditionals):
        fields = {"mask": 0x0F, "planes": rng.randint(1, 2), "kernel_rows": rng.randint(1, 3)}
        bench.send(tile | fields | {"kernel_columns": rng.randint(1, 3), "conditional": 1})


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("clusters", [1, 2, 4])
def test_gated(clusters, stalls):
    """Tiles with and without tasks, with and without conditional passes, and dense ones between
    them.
    """
    chain, memory = STALLS[stalls]
    for cluster in {0, clusters - 1}:
        rng = random.Random(f"{clusters} {cluster} {stalls}")
        decide = rng.choice([0.1, 1.0])
        bench = Bench(configuration(clusters), cluster, chain=chain, memory=memory, decide=decide)
        for density in (0.3, 0, 0.1, 1, 0.5):
            gated_tile(bench, rng, density, conditionals=rng.choice([0, 1, 2]))
            if rng.random() < 0.3:
                bench.send(random_pass(rng, bench.config, kernel_rows=1))
        bench.run()


SQUARE = {
    "mask": 255,
    "positions": 64,
    "width": 8,
    "planes": 2,
    "kernel_rows": 3,
    "kernel_columns": 3,
    "stride": 1,
    "pad_top": 1,
    "pad_left": 1,
    "in_rows": 8,
    "in_columns": 8,
    "images": 0,
    "input": 5,
    "input_plane_stride": 64,
    "diagonal": 0,
    "gate": 0,
    "conditional": 0,
    "step_rows": 0,
    "step_columns": 4,
}
"""3 x 3 on 8 x 8 positions and two planes, for four clusters."""


@pytest.mark.parametrize("cluster", [0, 3])
@pytest.mark.parametrize("positions", [1, 4, 5, 64])
def test_dense_at_full_speed(cluster, positions):
    """A vector a cycle from the first, also where a chunk is one position; the latency is the
    promised one.
    """
    bench = Bench(configuration(4), cluster)
    # Without padding on top and left, so that the first vector is read.
    command = SQUARE | {"positions": positions, "pad_top": 0, "pad_left": 0}
    bench.send(command)
    bench.run()
    count = 18 * bench.positions(command)
    first = bench.source.sent[0] + bench.streamer.latency(cluster, READ)
    assert bench.sink.cycles == list(range(first, first + count))


def test_commands_follow_closely():
    """At most two idle cycles between commands that are long enough to prepare the next."""
    bench = Bench(configuration(4), 1)
    for kernel in (3, 1, 2, 3):
        # No zeros at the front: they come earlier than what is read, and hide a pause.
        bench.send(SQUARE | {"kernel_rows": kernel, "pad_top": 0, "pad_left": 0})
    bench.run()
    cycles = bench.sink.cycles
    assert cycles[-1] - cycles[0] + 1 <= len(bench.expected) + 2 * 3


def test_conditional_at_full_speed():
    """The first chunk may wait for the gate; from then on a vector a cycle, from chunk to chunk
    too.
    """
    rng = random.Random(5)
    bench = Bench(configuration(4), 2)
    fired = [rng.choice([0, 0, 1, 2, 3]) for _ in range(16)]
    # All inside: zeros come earlier than what is read.
    inside = SQUARE | {"pad_top": 0, "pad_left": 0, "in_rows": 10, "in_columns": 10}
    bench.send(inside | {"kernel_rows": 1, "kernel_columns": 1, "planes": 1, "gate": 1}, fired)
    bench.send(inside | {"conditional": 1})
    bench.run()
    tasks = sum(1 for groups in fired if groups)
    rest = bench.sink.cycles[16 + tasks :]
    assert len(rest) == 17 * tasks
    assert rest == list(range(rest[0], rest[0] + len(rest)))


def test_conditional_starts_before_the_gate_has_ended():
    bench = Bench(configuration(4), 2, decide=0.05)
    gate = SQUARE | {"kernel_rows": 1, "kernel_columns": 1, "planes": 1, "gate": 1}
    bench.send(gate, [3] * 16)
    bench.send(SQUARE | {"conditional": 1})
    left_when_first_came = []

    def watch(cycle):
        if len(bench.sink.got) > 16 and not left_when_first_came:
            left_when_first_came.append(sum(len(due) for due in bench.deciders.due))

    bench.deciders.after = lambda ctx, cycle: watch(cycle)
    bench.run()
    assert left_when_first_came[0] > 16


def test_clusters_share_the_activation_buffer():
    """Four streamers on four banks, in step: hardly a cycle is lost to conflicts."""
    config = configuration(4, gated=False)
    dut = Module()
    dut.submodules.buffer = buffer = ActivationBuffer(config, readers=4, writers=1)
    rng = random.Random(7)
    words = [rng.getrandbits(config.vector_bits) for _ in range(4 * 256)]
    load_words = [{"address": n, "data": words[n], "mask": 15} for n in range(5, 5 + 128)]
    loader = Source(buffer.writes[0], load_words)
    sources, sinks = [], []
    for n in range(4):
        dut.submodules[f"streamer{n}"] = streamer = Streamer(config)
        wiring.connect(dut, streamer.request, buffer.reads[n].request)
        wiring.connect(dut, buffer.reads[n].data, streamer.data)
        dut.d.comb += streamer.cluster.eq(n)
        sources.append(Source(streamer.command))
        sinks.append(Sink(streamer.o))

    class Starter:
        """Commands come with the last word: what has been accepted is read."""

        def before(self, ctx):
            if loader.over and not sources[0].sent:
                for source in sources:
                    if not source.items:
                        source.items.append(SQUARE)

        def after(self, ctx, cycle):
            pass

    parts = [loader, Starter(), *sources, *sinks]
    run(dut, parts, until=lambda: all(len(s.got) == 288 for s in sinks), limit=2000)
    for n, sink in enumerate(sinks):
        expected = list(Streamer.model(config, SQUARE, n, words))
        assert [word & (1 << config.vector_bits) - 1 for word in sink.got] == [
            d for d, _ in expected
        ]
        assert sink.cycles[-1] - sink.cycles[0] <= 1.05 * len(expected)
