"""The weight feeder against its model, among groups that take their time."""

import random

import pytest

from hwgen.config import load
from hwgen.rtl.commands import weight_broadcast
from hwgen.rtl.credits import Credits
from hwgen.rtl.feeder import WeightFeeder

from ..refusal import assert_refused
from .benches import Source, run

SHAPES = {
    "tiny": ("tiny", {}),
    "two groups": ("tiny", {"array.engines": 4, "memory.weight_words": 64}),
    "wide words": ("cgnet8", {"array.clusters": 2, "memory.weight_words": 256}),
    "one slot": ("tiny", {"array.slots": 1, "memory.weight_slots": 2, "memory.weight_words": 16}),
    "three groups": ("tiny", {"array.engines": 6}),
    "distant memories": ("tiny", {"array.deep_pipeline": True, "memory.weight_words": 4096}),
    "narrow words": ("cgnet8", {"array.lanes": 4, "memory.weight_slots": 1, "array.clusters": 1}),
}


class Groups:
    """What the groups do: take words, and give banks back in order, each in its own time."""

    def __init__(self, dut, config, *, rate, seed):
        self.dut, self.layout = dut, weight_broadcast(config)
        count = config.array.clusters * config.groups
        self.held = [0] * count
        self.rate = rate
        self.words = []  # (cycle, fields)
        self.loaded = []  # cycles
        self.waiting = []  # cycles
        self.busy = False
        self._random = random.Random(seed)
        self._started = 0

    def before(self, ctx):
        released = 0
        for n, held in enumerate(self.held):
            # A group may be done with a chunk as soon as it has it.
            if held and self._random.random() < self.rate:
                released |= 1 << n
                self.held[n] -= 1
        ctx.set(self.dut.released, released)

    def after(self, ctx, cycle):
        if ctx.get(self.dut.chunk_loaded):
            self.loaded.append(cycle)
            self.held = [held + 1 for held in self.held]
            assert max(self.held) <= self.dut.banks
        if ctx.get(self.dut.waiting):
            self.waiting.append(cycle)
        if ctx.get(self.dut.weights_valid):
            word = ctx.get(self.dut.weights)
            self.words.append((cycle, {name: word[name] for name in self.layout.members}))
        self.busy = ctx.get(self.dut.busy)


def bench(shape, commands, *, rate=1.0, seed=0):
    """Load random words, run the commands; what was sent must be what the model says."""
    config = load(*SHAPES[shape])
    dut = WeightFeeder(config)
    rng = random.Random(seed)
    words = [rng.getrandbits(config.weight_word_bits) for _ in range(config.memory.weight_words)]
    loads = Source(dut.write, [{"address": n, "data": word} for n, word in enumerate(words)])
    source = Source(dut.command)
    groups = Groups(dut, config, rate=rate, seed=seed)
    kept = (1 << groups.layout["data"].width) - 1  # the rest of a word is padding
    expected, chunks = [], 0

    for command in commands:
        for word in dut.model(config, command, chunks & 1):
            expected.append(word | {"data": words[word.pop("address")] & kept})
        chunks += command["chunks"]

    class Starter:
        """Commands come when everything is loaded."""

        def before(self, ctx):
            if loads.over and commands:
                source.items.extend(commands)
                commands.clear()

        def after(self, ctx, cycle):
            pass

    run(
        dut,
        [loads, Starter(), source, groups],
        until=lambda: not commands and source.over and not groups.busy,
        limit=20000,
        quiet=4,
    )
    assert [word for _, word in groups.words] == expected
    assert len(groups.loaded) == chunks
    return dut, source, groups


def command(rng, dut_config, **fields):
    return {
        "thresholds": rng.randrange(2),
        "weights": rng.randrange(dut_config.memory.weight_words),
        "slots": rng.randint(1, dut_config.array.slots),
        "chunks": rng.randint(1, 4),
    } | fields


@pytest.mark.parametrize("rate", [1, 0.05], ids=["quick groups", "slow groups"])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_model(shape, rate):
    rng = random.Random(f"{shape} {rate}")
    commands = [command(rng, load(*SHAPES[shape])) for _ in range(4)]
    _, _, groups = bench(shape, commands, rate=rate, seed=1)
    # Each chunk's strobe comes right behind its last word.
    sizes = [cycle for cycle, word in groups.words if not word["thresholds"]]
    assert {cycle - 1 for cycle in groups.loaded} <= set(sizes)


def test_words_of_a_chunk():
    """The model by hand: 2 engines a group with 3 slots, words of 1 slot and 1 threshold."""
    words = WeightFeeder.model(
        load(*SHAPES["two groups"]), {"thresholds": 1, "weights": 60, "slots": 3, "chunks": 2}, 1
    )
    assert [word["address"] for word in words] == [(60 + n) % 64 for n in range(3 * 6)]
    assert [word["index"] for word in words] == list(range(6)) * 3
    assert [word["thresholds"] for word in words] == [1] * 6 + [0] * 12
    assert [word["bank"] for word in words] == [1] * 6 + [1] * 6 + [0] * 6


def test_full_speed():
    """A word a cycle through thresholds, chunks and commands while there are free banks."""
    rng = random.Random(3)
    config = load(*SHAPES["two groups"])
    commands = [command(rng, config, slots=4, thresholds=n & 1) for n in range(4)]
    dut, source, groups = bench("two groups", commands)
    first = source.sent[0] + dut.latency
    cycles = [cycle for cycle, _ in groups.words]
    assert cycles == list(range(first, first + len(cycles)))
    assert not groups.waiting


class Releaser:
    """Gives banks back, in turn one of group 0 and one of group 1, each after ten cycles of
    waiting."""

    def __init__(self, dut, groups):
        self.dut, self.groups = dut, groups
        self.given = []  # cycles

    def before(self, ctx):
        released = 0
        if len(self.given) < 2 and len(self.groups.waiting) == 10 * (len(self.given) + 1):
            self.given.append(self.groups.waiting[-1] + 1)
            released = len(self.given)
        ctx.set(self.dut.released, released)
        self.groups.held = [0] * len(self.groups.held)

    def after(self, ctx, cycle):
        pass


def waiting(commands):
    """Groups that give nothing back but two banks: the cycles of the words, and of what is given
    back."""
    config = load(*SHAPES["two groups"])
    dut = WeightFeeder(config)
    groups = Groups(dut, config, rate=0, seed=0)
    releaser = Releaser(dut, groups)
    parties = [Source(dut.command, commands), groups, releaser]
    run(dut, parties, until=lambda: len(groups.waiting) > 30, limit=200)
    assert len(releaser.given) == 2
    return dut, [cycle for cycle, _ in groups.words], releaser.given


def test_waits_for_banks():
    """Two chunks are sent, and the third when the last group has given a bank back."""
    commands = [{"slots": 1, "chunks": 9}, {"slots": 1, "thresholds": 1, "chunks": 1}]
    dut, cycles, given = waiting(commands)
    words = 2  # of a chunk
    assert len(cycles) == 3 * words
    # The strobe is counted in the cycle after, a word is read, and takes its way.
    assert cycles[2 * words] == given[1] + dut.latency


def test_thresholds_wait_for_the_gate():
    """Behind a gate, thresholds wait until it is over, though there is a free bank."""
    commands = [
        {"slots": 1, "chunks": 1, "gate": 1},
        {"slots": 1, "thresholds": 1, "chunks": 1},
        {"slots": 1, "chunks": 9},
    ]
    dut, cycles, given = waiting(commands)
    words = 2  # of a chunk, of thresholds
    assert len(cycles) == 4 * words
    assert cycles[words] == given[1] + dut.latency


def test_bad_credits():
    assert_refused("Credits ways must be a positive integer, not 0", Credits, ways=0, room=2)
    assert_refused("Credits room must be a positive integer, not 0", Credits, ways=2, room=0)
