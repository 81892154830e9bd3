"""What the tests of the drain and of the vector unit share."""

import random
from collections import deque

from hwgen.config import Config
from hwgen.isa.parameters import RECORD

__all__ = [
    "ReadPort",
    "Source",
    "Sink",
    "config",
    "random_record",
    "record_bytes",
    "stored",
]


def config(**sections) -> Config:
    """A small accelerator; keywords are sections with the fields that differ."""
    small = {
        "array": {"clusters": 2, "engines": 4, "lanes": 4, "slots": 4, "group": 2, "rows": 64},
        "memory": {"activation_words": 512, "weight_words": 64, "parameter_words": 64},
        "drain": {},
    }
    for section, fields in sections.items():
        small[section] |= fields
    return Config.model_validate(small)


def random_record(rng: random.Random, cfg: Config, **fields) -> dict[str, int]:
    """A record whose results are spread over the range of a byte, mostly."""
    record = {}
    for path in ("", "base_"):
        shift = rng.choice([1, 2, rng.randint(1, cfg.drain.shift_max)])
        bits = min(cfg.drain.multiplier_bits - 1, shift + 1)
        record |= {
            f"{path}multiplier": rng.randint(-(1 << bits) + 1, (1 << bits) - 1),
            f"{path}residual_multiplier": rng.randint(
                -(1 << min(31, shift)), (1 << min(31, shift)) - 1
            ),
            f"{path}bias": rng.randint(-(1 << min(47, shift + 6)), (1 << min(47, shift + 6)) - 1),
            f"{path}shift": shift,
        }
    return record | {"channel": 0} | fields


def record_bytes(record: dict[str, int]) -> int:
    """A record as it lies in memory."""
    word = 0
    for field, low in RECORD:
        word |= (record[field.name] & ((1 << field.bits) - 1)) << (8 * low)
    return word


class Source:
    """Feeds a stream; pauses with probability ``pause`` before a payload, never during one."""

    def __init__(self, port, payloads=(), *, rng, pause=0.0):
        self.port, self.waiting, self.rng, self.pause = port, deque(payloads), rng, pause
        self.offered = False
        self.sent = 0

    def drive(self, ctx):
        if not self.offered:
            self.offered = bool(self.waiting) and self.rng.random() >= self.pause
        ctx.set(self.port.valid, self.offered)
        if self.offered:
            ctx.set(self.port.payload, self.waiting[0])

    def see(self, ctx):
        """The payload that is transferred in this cycle, else None."""
        if self.offered and ctx.get(self.port.ready):
            self.offered = False
            self.sent += 1
            return self.waiting.popleft()
        return None


class Sink:
    """Takes from a stream, not ready with probability ``pause``; checks that offers are not
    withdrawn."""

    def __init__(self, port, *, rng, pause=0.0):
        self.port, self.rng, self.pause = port, rng, pause
        self.open = True
        self.pending = None

    def drive(self, ctx):
        self.open = self.rng.random() >= self.pause
        ctx.set(self.port.ready, self.open)

    def see(self, ctx):
        """The payload that is transferred in this cycle, else None."""
        if not ctx.get(self.port.valid):
            assert self.pending is None, "an offer was withdrawn"
            return None
        payload = ctx.get(self.port.payload)
        assert self.pending is None or self.pending == payload, "an offer was changed"
        self.pending = None if self.open else payload
        return payload if self.open else None


class ReadPort:
    """A read port of the activation buffer: answers in order, after ``latency`` cycles or
    later."""

    def __init__(self, request, answer, memory, *, rng, pause=0.0, latency=2):
        self.requests = Sink(request, rng=rng, pause=pause)
        self.answers = Source(answer, rng=rng, pause=pause)
        self.memory, self.latency = memory, latency
        self.under_way = deque()
        self.cycle = 0
        self.reads = 0

    def drive(self, ctx):
        self.cycle += 1
        while self.under_way and self.under_way[0][0] <= self.cycle:
            self.answers.waiting.append(self.under_way.popleft()[1])
        self.requests.drive(ctx)
        self.answers.drive(ctx)

    def see(self, ctx):
        address = self.requests.see(ctx)
        if address is not None:
            self.reads += 1
            self.under_way.append((self.cycle + self.latency, self.memory[address]))
        self.answers.see(ctx)

    @property
    def idle(self) -> bool:
        """Every answer has been taken."""
        return not self.under_way and not self.answers.waiting


async def stored(ctx, dut, records: dict[int, int]):
    """Put records into the memories of ``dut``."""
    for index, record in records.items():
        for base in (0, 1):
            path = (record >> 128 * base) & ((1 << 128) - 1)
            ctx.set(dut.record_valid, 1)
            ctx.set(dut.record, {"index": index, "base": base, "path": path})
            await ctx.tick()
    ctx.set(dut.record_valid, 0)
