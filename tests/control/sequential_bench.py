"""The sequential control with a memory, buffers and units around it."""

from hwgen.isa.parameters import RECORD_BYTES
from hwgen.rtl.commands import instruction_layout
from hwgen.rtl.sequential.ports import buffer_write

from .bench import Bench

__all__ = ["SequentialBench"]

WORD_BITS = 32


class Unit:
    """Takes a random time for an instruction, and accepts it at its end."""

    def __init__(self, bench, unit: str, instruction: str, stream: str):
        self._bench, self._unit, self._stream = bench, unit, stream
        self.layout = instruction_layout(instruction, bench.config)
        self._end = None
        self._offered = None
        self.commands = []

    def step(self, now: dict) -> dict:
        bench, stream = self._bench, self._stream
        payload = now[f"{stream}.payload"]
        if now["unit_reset"]:
            self._offered = None
        if self._offered is not None:
            assert now[f"{stream}.valid"] and payload == self._offered, "it changed while it ran"
        if now[f"{stream}.valid"] and self._offered is None:
            self._offered = payload
            self._end = bench.time + bench.random.randrange(30)
            bench.log.append(("start", self._unit, len(self.commands)))
            assert bench.memory.quiet, "a burst is under way"
        if now[f"{stream}.valid"] and now[f"{stream}.ready"]:
            command = self.layout.from_bits(payload)
            bench.log.append(("done", self._unit, len(self.commands)))
            self.commands.append({name: command[name] for name, _field in self.layout})
            self._offered = None
        stuck = self._unit in bench.stuck
        ending = self._offered is not None and self._end <= bench.time and not stuck
        return {f"{stream}.ready": ending}


class Buffers:
    """What words are written to, and the port that is read."""

    def __init__(self, bench):
        self._bench = bench
        self._layout = buffer_write(bench.config)
        self._answer = 0

    def step(self, now: dict) -> dict:
        bench = self._bench
        if now["write_valid"]:
            write = self._layout.from_bits(now["write"])
            if write.target == 2:
                low = WORD_BITS * write.part
                index = write.address % len(bench.records)
                record = bench.records[index] & ~((1 << WORD_BITS) - 1 << low)
                bench.records[index] = record | write.data << low
            else:
                words = (bench.activations, bench.weights)[write.target]
                words[write.address % len(words)] = write.data
        if now["read_en"]:
            self._answer = bench.activations[now["read_address"]]
        return {"read_data": self._answer}


class SequentialBench(Bench):
    """As :class:`.bench.Bench`; only one thing is done at a time."""

    def _surround(self):
        assert 8 * RECORD_BYTES % WORD_BITS == 0
        self.units = {
            "array": Unit(self, "array", "PASS", "passes"),
            "drain": Unit(self, "drain", "DRAIN", "drains"),
        }
        self._parts = [*self.units.values(), Buffers(self)]
