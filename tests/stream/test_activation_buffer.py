"""The activation buffer against an array of bytes, and its promises in cycles."""

import itertools
import random

import pytest

from hwgen.config import load
from hwgen.rtl.activation_buffer import ActivationBuffer

from ..refusal import assert_refused
from .benches import Sink, Source, run

ITEMS = 100


def configuration(clusters, banks=1):
    settings = {"array.clusters": clusters, "memory.activation_words": 64, "memory.banks": banks}
    return load("tiny", settings)


def split(word, lanes):
    return [word >> (8 * n) & 0xFF for n in range(lanes)]


class History:
    """Which bytes a word has had since when."""

    def __init__(self, words, lanes):
        self.lanes = lanes
        self.bytes = [[[(-1, 0)] for _ in range(lanes)] for _ in range(words)]

    def write(self, cycle, write):
        for n, byte in enumerate(split(write["data"], self.lanes)):
            if write["mask"] >> n & 1:
                self.bytes[write["address"]][n].append((cycle, byte))

    def allowed(self, address, requested, answered):
        """For each byte what a read may return: the newest at the request, or anything written
        since.
        """
        for versions in self.bytes[address]:
            last = max(n for n, (cycle, _) in enumerate(versions) if cycle <= requested)
            yield {byte for cycle, byte in versions[last:] if cycle <= answered}


@pytest.mark.parametrize(("clusters", "banks"), [(1, 1), (2, 1), (4, 1), (1, 2), (2, 4)])
@pytest.mark.parametrize("rates", [(1, 1), (1, 0.4), (0.4, 1)], ids=str)
def test_equals_model(clusters, banks, rates):
    """Few addresses, so that requests and writes meet; nobody waits for anybody."""
    readers, writers = 5, 3
    config = configuration(clusters, banks)
    lanes = config.array.lanes
    rng = random.Random(f"{clusters} {rates}")
    words = clusters * config.memory.activation_words
    hot = [rng.randrange(words) for _ in range(5)]
    dut = ActivationBuffer(config, readers=readers, writers=writers)

    def address():
        return rng.choice(hot) if rng.random() < 0.7 else rng.randrange(words)

    def write():
        mask = rng.choice([(1 << lanes) - 1, 1 << rng.randrange(lanes), rng.getrandbits(lanes)])
        return {"address": address(), "data": rng.getrandbits(8 * lanes), "mask": mask}

    asked = [[address() for _ in range(ITEMS)] for _ in range(readers)]
    written = [[write() for _ in range(ITEMS)] for _ in range(writers)]
    requests = [
        Source(p.request, a, rate=rates[0], seed=n)
        for n, (p, a) in enumerate(zip(dut.reads, asked, strict=True))
    ]
    answers = [Sink(p.data, rate=rates[1], seed=n) for n, p in enumerate(dut.reads)]
    writes = [
        Source(p, w, rate=rates[0], seed=n + 9)
        for n, (p, w) in enumerate(zip(dut.writes, written, strict=True))
    ]
    run(
        dut,
        requests + answers + writes,
        until=lambda: all(len(s.got) == ITEMS for s in answers) and all(s.over for s in writes),
        limit=8000,
    )

    history = History(words, lanes)
    done = sorted((cycle, n, k) for n, s in enumerate(writes) for k, cycle in enumerate(s.sent))
    for cycle, n, k in done:
        history.write(cycle, written[n][k])
    for port, source, sink in zip(asked, requests, answers, strict=True):
        assert len(sink.got) == ITEMS
        for where, requested, word, answered in zip(
            port, source.sent, sink.got, sink.cycles, strict=True
        ):
            assert answered >= requested + dut.latency
            for byte, allowed in zip(
                split(word, lanes), history.allowed(where, requested, answered), strict=True
            ):
                assert byte in allowed


@pytest.mark.parametrize(("clusters", "banks"), [(1, 1), (2, 1), (4, 1), (1, 2), (2, 2)])
def test_full_speed(clusters, banks):
    """One reader for each bank, all in step: a word a cycle each, while as many writers do the
    same.
    """
    config = configuration(clusters, banks)
    ports, half = config.activation_banks, 32 * clusters
    dut = ActivationBuffer(config, readers=ports, writers=ports)
    # Writers work in another half of the rows.
    read = [[(n + k) % half for k in range(half)] for n in range(ports)]
    write = [
        [{"address": half + (n + k) % half, "data": 0, "mask": 3} for k in range(60)]
        for n in range(ports)
    ]
    requests = [Source(p.request, a) for p, a in zip(dut.reads, read, strict=True)]
    answers = [Sink(p.data) for p in dut.reads]
    writes = [Source(p, w) for p, w in zip(dut.writes, write, strict=True)]
    run(
        dut,
        requests + answers + writes,
        until=lambda: all(len(s.got) == half for s in answers) and all(s.over for s in writes),
        limit=2000,
    )
    for source, sink in zip(requests, answers, strict=True):
        assert source.sent == list(range(half))
        assert sink.cycles == [n + dut.latency for n in range(half)]
    for source in writes:
        assert source.sent == list(range(60))


@pytest.mark.parametrize("ports", [2, 5])
def test_turns(ports):
    """All want one bank: it is never idle, and everybody gets the same."""
    dut = ActivationBuffer(configuration(2), readers=ports, writers=ports)
    write = {"address": 2, "data": 1, "mask": 1}
    requests = [Source(p.request, [4] * 40) for p in dut.reads]
    answers = [Sink(p.data) for p in dut.reads]
    writes = [Source(p, [write] * 40) for p in dut.writes]
    run(
        dut,
        requests + answers + writes,
        until=lambda: all(len(s.got) == 40 for s in answers) and all(s.over for s in writes),
        limit=2000,
    )
    for parts, times in (
        (answers, [s.cycles for s in answers]),
        (writes, [s.sent for s in writes]),
    ):
        cycles = sorted(cycle for own in times for cycle in own)
        assert cycles == list(range(cycles[0], cycles[0] + 40 * ports))
        for own in times:
            assert max(b - a for a, b in itertools.pairwise(own)) <= ports
        assert len(parts) == ports


def test_a_reader_that_takes_nothing_is_alone():
    """Its answers find room, others go on."""
    dut = ActivationBuffer(configuration(2), readers=2, writers=1)
    stuck = Sink(dut.reads[0].data, rate=0)
    answers = Sink(dut.reads[1].data)
    requests = [Source(p.request, [6] * 100) for p in dut.reads]
    run(dut, [*requests, stuck, answers], until=lambda: len(answers.got) == 100, limit=400)
    assert len(answers.got) == 100
    assert len(requests[0].sent) < 20


def test_bad_ports():
    config = configuration(1)
    for name, ports in (("readers", (0, 1)), ("writers", (1, "1"))):
        assert_refused(
            f"{name} must be a positive integer, not ",
            ActivationBuffer,
            config,
            readers=ports[0],
            writers=ports[1],
        )
