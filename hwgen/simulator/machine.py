"""The accelerator as a program sees it: buffers, banks, tokens and what each instruction does to
them, in integers.

It knows nothing of time. Each unit runs its instructions in order as soon as the tokens allow,
units in an order drawn at random when a seed is given: a program whose result depends on that order
lacks a token.
"""

import random
from collections import defaultdict, deque
from collections.abc import Sequence

import numpy as np

from ..arithmetic import requantize, wrap32
from ..compiler.operands import unpacked
from ..compiler.program import Program, Step
from ..compiler.tensors import Slice
from ..compiler.weights import (
    Spread,
    spread,
    threshold_words,
    unpack_chunks,
    unpack_thresholds,
)
from ..config import Config
from ..isa.instructions import TOKEN_BITS
from ..isa.parameters import RECORD, RECORD_BYTES
from ..rtl.mac import Mode, PlaneTrimmer, facts

__all__ = ["Machine"]


def _integers(data: bytes, low: int, bits: int, signed: bool) -> int:
    return int.from_bytes(data[low : low + -(-bits // 8)], "little", signed=signed)


def _trimmed_modes(
    modes: Sequence[Mode], mode: int, words: np.ndarray, *, signed: bool
) -> np.ndarray:
    """The mode of each vector (…, byte) whose upper planes are left out."""
    table = np.array([PlaneTrimmer.model(modes, mode, planes) for planes in range(8)], np.uint8)
    shifted = np.where(words & 128, ~words, words) << 1 if signed else words
    ones = np.bitwise_or.reduce(shifted.astype(np.uint8), axis=-1)
    spare = np.array([min(7, 8 - n.bit_length()) for n in range(256)])
    return table[spare[ones]]


class Machine:
    """An accelerator of ``config`` beside a ``memory`` (bytearray); ``bases`` are the base
    registers.

    `run` executes a program. `fired` holds, for each gated PASS in order, the decisions as a
    boolean array (slot of the block, position); `trimmed`, in an array that trims vectors, for each
    PASS the modes of its vectors (chunk, position).
    """

    def __init__(
        self, config: Config, memory: bytearray, bases: list[int], seed: int | None = None
    ):
        self.config = config
        self.memory = memory
        self.bases = bases
        self.fired = []
        self.trimmed = []
        array = config.array
        self._order = random.Random(seed) if seed is not None else None
        self._activations = np.zeros(
            (array.clusters * config.memory.activation_words, array.lanes), np.uint8
        )
        self._weights = np.zeros(
            (config.memory.weight_words, config.weight_word_bits // 8), np.uint8
        )
        self._records = {}
        self._banks = [None, None]
        self._decisions = None
        self._thresholds = None
        self._tokens = defaultdict(int)

    def run(self, program: Program) -> None:
        """Execute until every unit is out of instructions; a program that cannot go on is a
        RuntimeError.
        """
        queues = defaultdict(deque)
        for step in program.steps:
            queues[step.unit].append(step)
        while any(queues.values()):
            ready = [u for u, q in queues.items() if q and all(self._tokens[t] for t in q[0].wait)]
            if len(ready) > 1 and "fetch" in ready:
                ready.remove("fetch")
            if not ready:
                heads = {u: q[0].note for u, q in queues.items() if q}
                raise RuntimeError(f"the program waits for tokens that nobody gives: {heads}")
            unit = self._order.choice(ready) if self._order else ready[0]
            step = queues[unit].popleft()
            for token in step.wait:
                self._tokens[token] -= 1
            self._execute(step)
            for token in step.post:
                self._tokens[token] += 1
                if self._tokens[token] >> TOKEN_BITS:
                    raise RuntimeError(f"token counter {token} overflows at {step.note}")

    def _execute(self, step: Step) -> None:
        {
            "END": lambda f: None,
            "LOAD": self._load,
            "STORE": self._store,
            "PASS": self._pass,
            "DRAIN": self._drain,
            "VECTOR": self._vector,
        }[step.name](step.fields)

    # Memory

    def _rows(self, f: dict, word: int):
        """(byte address, buffer word) of each row of a LOAD or STORE."""
        start = self.bases[f["base"]] + f["address"]
        for plane in range(f["planes"]):
            for row in range(f["rows"]):
                words = plane * f["plane_stride"] + row * f["row_stride"]
                at = f["buffer"] + plane * f["buffer_plane_stride"] + row * f["buffer_row_stride"]
                yield start + words * word, at

    def _load(self, f: dict) -> None:
        if f.get("bits"):
            at = self.bases[f["base"]] + f["address"]
            how = Spread(f["bits"], 1 << f["room"], f["offset"])
            data = spread(self.config, bytes(self.memory[at:]), f["words"], how)
            self._weights[(f["buffer"] + np.arange(f["words"])) % len(self._weights)] = data
            return
        word = (self.config.array.lanes, self.config.weight_word_bits // 8, RECORD_BYTES)[
            f["target"]
        ]
        for address, at in self._rows(f, word):
            data = np.frombuffer(self.memory, np.uint8, f["words"] * word, address).reshape(
                -1, word
            )
            if f["target"] == 2:
                for i, record in enumerate(data):
                    self._records[at + i] = self._record(record.tobytes())
            else:
                buffer = (self._activations, self._weights)[f["target"]]
                buffer[(at + np.arange(f["words"])) % len(buffer)] = data

    def _store(self, f: dict) -> None:
        word = self.config.array.lanes
        for address, at in self._rows(f, word):
            data = self._activations[(at + np.arange(f["words"])) % len(self._activations)]
            self.memory[address : address + data.size] = data.tobytes()

    @staticmethod
    def _record(data: bytes) -> dict[str, int]:
        return {field.name: _integers(data, low, field.bits, field.signed) for field, low in RECORD}

    def _words(self, addresses: np.ndarray, signed: bool) -> np.ndarray:
        values = self._activations[addresses % len(self._activations)]
        return values.view(np.int8).astype(np.int64) if signed else values.astype(np.int64)

    # Array

    def _slots(self, f: dict) -> int:
        return self.config.array.engines * f["slots"]

    def _weight_words(self, start: int, count: int) -> np.ndarray:
        return self._weights[(start + np.arange(count)) % len(self._weights)]

    def _pass(self, f: dict) -> None:
        config, array = self.config, self.config.array
        at = f["weights"]
        if f["thresholds"]:
            words = threshold_words(config, f["slots"])
            self._thresholds = unpack_thresholds(config, self._weight_words(at, words))
            at += words
        words = -(-array.group * f["slots"] // config.memory.weight_slots) * f["chunks"]
        data = self._weight_words(at, words)
        mode = f.get("mode", 0)
        weights = unpack_chunks(config, data, f["chunks"], f["slots"], mode).astype(np.float64)
        words = self._vectors(f)
        unit = facts(config)
        if array.trim_planes:
            self.trimmed.append(_trimmed_modes(unit.modes, mode, words, signed=bool(f["signed"])))
        places = unit.activations_in(unit.modes[mode])
        vectors = unpacked(words, places, signed=bool(f["signed"])).astype(np.float64)
        # float64 is exact: |sum| < 2**53
        sums = np.einsum("cpr,csr->sp", vectors, weights, optimize=True).astype(np.int64)
        sums <<= f.get("sum_shift", 0)
        bank = f["bank"]
        if f["conditional"]:
            sums[~self._decisions] = 0
        if not f["first"]:
            sums = sums + self._banks[bank]
        self._banks[bank] = wrap32(sums)
        if f["gate"]:
            self._decisions = self._banks[bank] > self._thresholds[:, None]
            self._banks[1 - bank] = self._banks[bank].copy()
            self.fired.append(self._decisions)

    def _vectors(self, f: dict) -> np.ndarray:
        """What is streamed: (chunk, position, byte)."""
        positions = np.arange(f["positions"])
        row, column = np.divmod(positions, f["width"])
        top = row * f["stride"]
        first = top - top % f["in_rows"] if f["images"] else 0  # rows of the images above
        chunks = []
        for plane in range(f["planes"]):
            for ky in range(f["kernel_rows"]):
                for kx in range(f["kernel_columns"]):
                    y = top + ky - f["pad_top"]
                    x = column * f["stride"] + kx - f["pad_left"]
                    inside = (y >= first) & (y < first + f["in_rows"])
                    inside &= (x >= 0) & (x < f["in_columns"])
                    address = f["input"] + plane * f["input_plane_stride"] + y * f["in_columns"] + x
                    words = self._activations[np.where(inside, address, 0) % len(self._activations)]
                    words = np.where(inside[:, None], words & f["mask"], 0).astype(np.uint8)
                    chunks.append(words << np.uint8(f.get("align", 0)))
        return np.stack(chunks)

    # Drain and vector unit

    def _column(self, first: int, count: int, name: str) -> np.ndarray:
        return np.array([self._records[first + k][name] for k in range(count)], np.int64)[:, None]

    def _drain(self, f: dict) -> None:
        count = min(f["channels"], self._slots(f))
        lanes = self.config.array.lanes
        sums = self._banks[f["bank"]][:count]

        def column(name: str) -> np.ndarray:
            return self._column(f["parameters"], count, name)

        channel = column("channel")
        position = np.arange(f["positions"])[None]
        residual = 0
        if f["residual"]:
            word = f["residual_input"] + channel // lanes * f["output_plane_stride"] + position
            residual = self._words(word, bool(f["residual_signed"]))[
                np.arange(count)[:, None], position, channel % lanes
            ]
        path = "base_" if f["source"] == 1 else ""
        y = requantize(
            sums,
            column(path + "multiplier"),
            column(path + "bias"),
            column(path + "shift"),
            f["low"],
            f["high"],
            residual=residual,
            residual_multiplier=column(path + "residual_multiplier"),
        )
        chosen = np.ones_like(y, bool)
        if f["source"]:
            chosen = self._decisions[:count] == (f["source"] == 2)
        word = f["output"] + channel // lanes * f["output_plane_stride"] + position
        word, lane = np.broadcast_arrays(word % len(self._activations), channel % lanes)
        self._activations[word[chosen], lane[chosen]] = y[chosen] & 0xFF

    def _pack(self, f: dict) -> None:
        part = Slice(f["shift"], f["bits"], 1 << f["room"], 1 << f["copies"])
        size = f["out_rows"] * f["out_columns"]
        together = 8 // part.room
        for plane in range(f["planes"]):
            first = f["input"] + plane * together * f["second"]
            planes = first + np.arange(f["kernel_rows"]) * f["second"]
            words = self._words(planes[:, None] + np.arange(size), False).swapaxes(0, 1)
            values = np.zeros((size, together * self.config.array.lanes), np.int64)
            values[:, : f["kernel_rows"] * self.config.array.lanes] = words.reshape(size, -1)
            at = f["output"] + plane * size + np.arange(size)
            self._activations[at % len(self._activations)] = part.pack(values)

    def _vector(self, f: dict) -> None:
        if f["operation"] == 3:
            self._pack(f)
            return
        lanes = np.arange(self.config.array.lanes)
        in_words, out_words = f["in_rows"] * f["in_columns"], f["out_rows"] * f["out_columns"]
        row, column = np.divmod(np.arange(out_words), f["out_columns"])
        record = self._records.get(f["parameters"]) if f["operation"] else None
        for plane in range(f["planes"]):
            taps = []
            for ky in range(f["kernel_rows"]):
                for kx in range(f["kernel_columns"]):
                    y = row * f["stride"] + ky - f["pad_top"]
                    x = column * f["stride"] + kx - f["pad_left"]
                    inside = (y >= 0) & (y < f["in_rows"]) & (x >= 0) & (x < f["in_columns"])
                    address = f["input"] + plane * in_words + y * f["in_columns"] + x
                    outside = -(1 << 30) if f["operation"] == 0 else 0
                    words = self._words(np.where(inside, address, 0), bool(f["signed"]))
                    taps.append(np.where(inside[:, None], words, outside))
            if f["operation"] == 0:
                y = np.max(taps, axis=0)
            else:
                second = 0
                if f["operation"] == 2:
                    second = self._words(
                        f["second"] + plane * in_words + np.arange(in_words), bool(f["signed"])
                    )
                y = requantize(
                    np.sum(taps, axis=0),
                    record["multiplier"],
                    record["bias"],
                    record["shift"],
                    f["low"],
                    f["high"],
                    residual=second,
                    residual_multiplier=record["residual_multiplier"],
                )
            word = (f["output"] + plane * out_words + np.arange(out_words)) % len(self._activations)
            self._activations[word[:, None], lanes] = y & 0xFF
