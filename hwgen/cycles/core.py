"""The core of the model, from Python."""

import ctypes
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from ..compiler.program import Program
from ..config import Config
from ..config.values import Modes
from ..isa.instructions import by_name
from ..isa.packing import mask_of
from ..isa.registers import BASES, UNITS
from ..rtl import mac
from ..rtl.control.words import load_words
from ..rtl.feeder import WeightFeeder
from ..rtl.weight_buffer import WeightBuffer
from ..simulator.rtl import MemoryModel
from .build import MOST_FIELDS, build

__all__ = ["Core"]

CYCLES_AT_ONCE = 1 << 20

_CONFIG = (
    "clusters groups group lanes slots queue rows gated mac_depth weights_loaded drain_lanes "
    "distant_drain pool "
    "activation_words activation_banks weight_words parameter_words weight_slots "
    "thresholds_per_word beat_bytes outstanding burst queue_depth prefetch token_bits "
    "sequential"
).split()
_COUNTERS = [
    "CYCLES",
    "INSTRUCTIONS",
    "ARRAY_BUSY",
    "ARRAY_STARVED",
    "ARRAY_UNLOADED",
    "ARRAY_INTERLOCKED",
    *(f"WAITING_{unit.upper()}" for unit in UNITS),
    *(f"BUSY_{unit.upper()}" for unit in UNITS),
    "BYTES_READ",
    "BYTES_WRITTEN",
    "FIRED",
]
_OPERATIONS = (
    "rows dot_products vectors vector_pushes weight_words_sent weight_words_written "
    "activation_reads activation_writes records_written sums_drained"
).split()


class _Config(ctypes.Structure):
    _fields_ = (
        [(name, ctypes.c_int32) for name in _CONFIG]
        + [("word_bytes", ctypes.c_int32 * 3), ("mac_steps", ctypes.c_int32 * Modes.MOST)]
        + [("latency", ctypes.c_int32), ("rate", ctypes.c_int32)]
    )


class _Counters(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in _COUNTERS + _OPERATIONS]


def _configuration(config: Config, memory: MemoryModel) -> _Config:
    array = config.array
    unit = mac.facts(config)
    values = {
        "clusters": array.clusters,
        "groups": config.groups,
        "group": array.group,
        "lanes": array.lanes,
        "slots": array.slots,
        "queue": array.queue,
        "rows": array.rows,
        "gated": array.gated,
        "mac_depth": unit.latency - unit.interval + mac.shifts_sums(config) + array.deep_pipeline,
        "weights_loaded": 3 + WeightBuffer.latency(config),
        "drain_lanes": config.drain.lanes,
        "distant_drain": config.distant_drain,
        "pool": config.drain.pool,
        "activation_words": config.memory.activation_words,
        "activation_banks": config.activation_banks,
        "weight_words": config.memory.weight_words,
        "parameter_words": config.memory.parameter_words,
        "weight_slots": config.memory.weight_slots,
        "thresholds_per_word": WeightFeeder.thresholds_per_word(config),
        "beat_bytes": config.bus.data_width // 8,
        "outstanding": config.bus.outstanding,
        "burst": config.bus.burst,
        "queue_depth": config.control.queue_depth,
        "prefetch": config.control.prefetch,
        "token_bits": config.control.token_bits,
        "sequential": config.control.sequential,
        "word_bytes": (ctypes.c_int32 * 3)(*load_words(config)),
        "mac_steps": (ctypes.c_int32 * Modes.MOST)(*map(unit.steps_in, unit.modes)),
        "latency": memory.latency,
        "rate": max(1, round(memory.bandwidth * 256)),
    }
    return _Config(**values)


@cache
def _library() -> ctypes.CDLL:
    lib, c = ctypes.CDLL(str(build())), ctypes
    signatures = {
        "open": (c.c_void_p, [c.POINTER(_Config), c.c_int]),
        "close": (None, [c.c_void_p]),
        "begin": (
            None,
            [c.c_void_p, c.c_void_p, c.c_uint64, c.c_void_p, c.c_uint64, c.c_char_p, c.c_uint64],
        ),
        "gate": (None, [c.c_void_p, c.c_void_p, c.c_uint32, c.c_uint32, c.c_uint32]),
        "trim": (None, [c.c_void_p, c.c_void_p, c.c_uint32, c.c_uint32, c.c_uint32]),
        "run": (c.c_int, [c.c_void_p, c.c_uint64]),
        "counters": (None, [c.c_void_p, c.POINTER(_Counters)]),
        "replayed": (c.c_uint64, [c.c_void_p]),
        "times": (None, [c.c_void_p, c.c_void_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(lib, f"cycles_{name}")
        function.restype, function.argtypes = result, arguments
    return lib


def _code(program: Program) -> np.ndarray:
    rows = np.zeros((len(program.steps), 4 + MOST_FIELDS), np.int64)
    units = {name: (UNITS.index(by_name(name).unit), by_name(name).fields) for name in _NAMES}
    for row, step in zip(rows, program.steps, strict=True):
        unit, fields = units[step.name]
        row[:4] = unit, step.name == "END", mask_of(step.wait), mask_of(step.post)
        row[4 : 4 + len(fields)] = [step.fields.get(field.name, 0) for field in fields]
    return rows


_NAMES = ("END", "LOAD", "STORE", "PASS", "DRAIN", "VECTOR")


class Core:
    """An accelerator that has been reset, beside its memory.

    With ``skips``, cycles in which nothing happens are left out, with the same result.
    """

    def __init__(self, config: Config, memory: MemoryModel, *, skips: bool = True):
        self._core = None  # for __del__, if what follows is interrupted
        self._lib = _library()
        self._core = self._lib.cycles_open(_configuration(config, memory), skips)

    def __del__(self):
        if self._core is not None:
            self._lib.cycles_close(self._core)

    def begin(self, program: Program, bases: Sequence[int], address: int) -> None:
        """Another program: base registers, and where it lies in memory."""
        self._count = len(program.steps)
        self._constants = program.constants  # kept: the core looks at them
        values = np.zeros(BASES, np.uint64)
        values[: len(bases)] = bases
        code = _code(program)
        self._lib.cycles_begin(
            self._core,
            code.ctypes.data,
            len(code),
            values.ctypes.data,
            address,
            self._constants,
            len(self._constants),
        )

    def gate(self, fired: np.ndarray, slots: int, diagonal: int) -> None:
        """Decisions of the next gate: (slot of the block, position)."""
        fired = np.ascontiguousarray(fired, np.uint8)
        self._lib.cycles_gate(self._core, fired.ctypes.data, slots, fired.shape[1], diagonal)

    def trim(self, modes: np.ndarray, diagonal: int) -> None:
        """Modes of the vectors of the next PASS: (chunk, position)."""
        modes = np.ascontiguousarray(modes, np.uint8)
        self._lib.cycles_trim(self._core, modes.ctypes.data, *modes.shape, diagonal)

    def run(self, limit: int, progress: Callable[[int], None] = lambda cycles: None) -> bool:
        """Until the end of the program; whether it came within ``limit`` cycles. ``progress`` hears
        now and then how many have passed.
        """
        # In pieces: Python sees Ctrl-C only between calls.
        for passed in range(0, limit, CYCLES_AT_ONCE):
            progress(passed)
            if self._lib.cycles_run(self._core, min(passed + CYCLES_AT_ONCE, limit)):
                return True
        return False

    def counters(self) -> tuple[dict[str, int], dict[str, int]]:
        """The performance counters of the hardware, and operations."""
        counters = _Counters()
        self._lib.cycles_counters(self._core, counters)
        own = [n for n in _COUNTERS if n not in ("WAITING_FETCH", "BUSY_FETCH")]
        return (
            {name: getattr(counters, name) for name in own},
            {name: getattr(counters, name) for name in _OPERATIONS},
        )

    def replayed(self) -> int:
        """Cycles of the array that were not simulated, because it had done the same before."""
        return self._lib.cycles_replayed(self._core)

    def times(self) -> np.ndarray:
        """For each instruction the cycles of its tokens, its start, its end."""
        times = np.zeros((self._count, 3), np.uint64)
        self._lib.cycles_times(self._core, times.ctypes.data)
        return times.astype(np.int64)
