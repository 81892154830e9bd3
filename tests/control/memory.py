"""A memory behind AXI4, for Amaranth's simulator: stalls at random, misbehaves on request, and
checks the master."""

import random
from collections import deque
from dataclasses import dataclass, field

__all__ = ["Memory"]

CHANNELS = ("ar", "r", "aw", "w", "b")


@dataclass
class Memory:
    """Bytes behind an AXI4 port.

    ``stall``: probability that a channel does not move in a cycle. ``latency``: cycles from an
    address to its first beat or answer, at least. ``frozen``: channels that do not move at all.
    ``bad_reads``, ``bad_writes``: ranges of addresses that are answered by SLVERR. What is written
    can be read when it has been answered. ``written`` collects the addresses of all bytes that were
    written.
    """

    data: bytearray
    seed: int = 0
    stall: float = 0.0
    latency: int = 1
    longest: int = 256
    outstanding: int = 16
    frozen: set = field(default_factory=set)
    bad_reads: range = range(0)
    bad_writes: range = range(0)
    written: set = field(default_factory=set)
    reads: list = field(default_factory=list)
    writes: list = field(default_factory=list)

    def __post_init__(self):
        self._random = random.Random(self.seed)
        self._reads, self._writes, self._answers = deque(), deque(), deque()
        self._before = {}
        self._response, self._news = 0, {}  # of the burst that is being written
        self._time = 0

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        return not (self._reads or self._writes or self._answers)

    def step(self, now: dict[str, int], size: int) -> dict[str, int]:
        """What the port did in a cycle (names without the prefix); what the memory does in the
        next.

        ``size``: bytes of a beat.
        """
        self._stable(self._before, now)
        self._before = now
        self._time += 1
        self._take(now, size)
        return self._drive(now, size)

    @staticmethod
    def _stable(before: dict, now: dict) -> None:
        """What was offered and not taken must be offered again, unchanged."""
        for channel in ("ar", "aw", "w"):
            if before and before[f"{channel}valid"] and not before[f"{channel}ready"]:
                for name, value in now.items():
                    if name.startswith(channel) and not name.endswith("ready"):
                        assert value == before[name], f"{name} changed while it waited"

    def _take(self, now: dict, size: int) -> None:
        for channel, queue, log in (
            ("ar", self._reads, self.reads),
            ("aw", self._writes, self.writes),
        ):
            if now[f"{channel}valid"] and now[f"{channel}ready"]:
                address, beats = now[f"{channel}addr"], now[f"{channel}len"] + 1
                assert address % size == 0 and 1 << now[f"{channel}size"] == size
                assert now[f"{channel}burst"] == 1
                assert beats <= self.longest
                assert address // 4096 == (address + beats * size - 1) // 4096
                content = bytes(self.data[address : address + beats * size])
                queue.append([address, beats, self._time + self.latency, content])
                log.append((address, beats))
                under_way = len(queue) + (len(self._answers) if channel == "aw" else 0)
                assert under_way <= self.outstanding
        if now["rvalid"] and now["rready"]:
            burst = self._reads[0]
            burst[0] += size
            burst[1] -= 1
            burst[3] = burst[3][size:]
            if not burst[1]:
                self._reads.popleft()
        if now["bvalid"] and now["bready"]:
            for address, value in self._answers.popleft()[2].items():
                self.data[address] = value
        if now["wvalid"] and now["wready"]:
            self._write(now, size)

    def _write(self, now: dict, size: int) -> None:
        assert self._writes, "data before its address"
        burst = self._writes[0]
        if burst[0] in self.bad_writes:
            self._response = 2
        for lane in range(size):
            if now["wstrb"] >> lane & 1 and not self._response:
                self._news[burst[0] + lane] = now["wdata"] >> 8 * lane & 0xFF
                self.written.add(burst[0] + lane)
        burst[0] += size
        burst[1] -= 1
        assert now["wlast"] == (burst[1] == 0)
        if not burst[1]:
            self._writes.popleft()
            self._answers.append([self._response, self._time + self.latency, self._news])
            self._response, self._news = 0, {}

    def _moves(self, channel: str) -> bool:
        return channel not in self.frozen and self._random.random() >= self.stall

    def _drive(self, now: dict, size: int) -> dict[str, int]:
        under_way = len(self._writes) + len(self._answers)
        # Data may come with its address, but this memory takes it only behind.
        expected = any(beats for _address, beats, *_ in self._writes)
        driven = {
            "arready": self._moves("ar") and len(self._reads) < self.outstanding,
            "awready": self._moves("aw") and under_way < self.outstanding,
            "wready": self._moves("w") and expected,
        }
        if not (now["rvalid"] and not now["rready"]):
            ready = bool(self._reads) and self._reads[0][2] <= self._time
            driven["rvalid"] = ready and self._moves("r")
            if driven["rvalid"]:
                address, left, _time, content = self._reads[0]
                driven["rdata"] = int.from_bytes(content[:size], "little")
                driven["rlast"] = left == 1
                driven["rresp"] = 2 if address in self.bad_reads else 0
        if not (now["bvalid"] and not now["bready"]):
            ready = bool(self._answers) and self._answers[0][1] <= self._time
            driven["bvalid"] = ready and self._moves("b")
            if driven["bvalid"]:
                driven["bresp"] = self._answers[0][0]
        return driven
