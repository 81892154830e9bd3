"""A running simulation: registers, memory, cycles."""

import ctypes
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError

__all__ = ["MemoryModel", "RtlSimulator"]

CYCLES_AT_ONCE = 10_000


@dataclass(frozen=True)
class MemoryModel:
    """How the memory beside the accelerator answers.

    ``latency`` cycles until the first beat of a burst, ``bandwidth`` beats a cycle (reads and
    writes together), and ``stall``, the probability that a channel pauses in a cycle.
    """

    latency: int = 20
    bandwidth: float = 1.0
    stall: float = 0.0


class RtlSimulator:
    """The transport of :class:`hwgen.driver.Driver` for Verilator.

    Parameters
    ----------
    library : Path
        From :func:`hwgen.simulator.rtl.build`.
    memory_bytes : int
        Size of the memory; addresses beyond it answer with DECERR.
    model : MemoryModel
    seed : int
        Of the stalls.
    """

    def __init__(
        self, library: Path, *, memory_bytes: int, model: MemoryModel = MemoryModel(), seed: int = 1
    ):
        self._library = ctypes.CDLL(str(library))
        lib, c = self._library, ctypes
        signatures = {
            "open": (c.c_void_p, [c.c_uint64, c.c_uint64]),
            "close": (None, [c.c_void_p]),
            "memory": (c.c_void_p, [c.c_void_p]),
            "cycle": (c.c_uint64, [c.c_void_p]),
            "model": (None, [c.c_void_p, c.c_uint, c.c_uint, c.c_uint, c.c_int]),
            "fault": (None, [c.c_void_p, c.c_uint64, c.c_uint64, c.c_uint, c.c_int]),
            "write": (c.c_int, [c.c_void_p, c.c_uint32, c.c_uint32]),
            "read": (c.c_int, [c.c_void_p, c.c_uint32, c.POINTER(c.c_uint32)]),
            "run": (c.c_int, [c.c_void_p, c.c_uint64]),
            "trace": (c.c_int, [c.c_void_p, c.c_char_p, c.c_uint64, c.c_uint64]),
        }
        for name, (result, arguments) in signatures.items():
            function = getattr(lib, f"hwgen_{name}")
            function.restype, function.argtypes = result, arguments
        self._machine = lib.hwgen_open(memory_bytes, seed)
        self.memory = (c.c_uint8 * memory_bytes).from_address(lib.hwgen_memory(self._machine))
        self.configure(model)

    def close(self) -> None:
        """End the simulation."""
        if self._machine:
            self._library.hwgen_close(self._machine)
            self._machine = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def configure(self, model: MemoryModel, *, frozen: bool = False) -> None:
        """Change how the memory answers from now on; ``frozen``: not at all."""
        self._library.hwgen_model(
            self._machine,
            model.latency,
            max(1, round(model.bandwidth * 256)),
            round(model.stall * 65536),
            frozen,
        )

    def fault(self, low: int, high: int, *, response: int, write: bool) -> None:
        """Answer accesses to low..high-1 with ``response`` (2 SLVERR, 3 DECERR)."""
        self._library.hwgen_fault(self._machine, low, high, response, write)

    @property
    def cycle(self) -> int:
        """Cycles since power-on."""
        return self._library.hwgen_cycle(self._machine)

    def write_register(self, address: int, value: int) -> None:
        """AXI4-Lite write."""
        if not self._library.hwgen_write(self._machine, address, value):
            raise UserError(f"register {address:#x} does not answer a write")

    def read_register(self, address: int) -> int:
        """AXI4-Lite read."""
        value = ctypes.c_uint32()
        if not self._library.hwgen_read(self._machine, address, ctypes.byref(value)):
            raise UserError(f"register {address:#x} does not answer a read")
        return value.value

    def write_memory(self, address: int, data: bytes) -> None:
        """Put bytes into the memory, in no time."""
        ctypes.memmove(ctypes.addressof(self.memory) + address, data, len(data))

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of the memory."""
        return ctypes.string_at(ctypes.addressof(self.memory) + address, size)

    def wait(self, cycles: int) -> bool:
        """Run until the interrupt; False if it has not come within ``cycles``."""
        # In pieces: Python sees Ctrl-C only between calls.
        for start in range(0, cycles, CYCLES_AT_ONCE):
            if self._library.hwgen_run(self._machine, min(CYCLES_AT_ONCE, cycles - start)):
                return True
        return False

    def trace(self, path: Path, first: int = 0, last: int = 1 << 62) -> None:
        """Write an FST file of cycles first..last-1; needs a library built with ``trace``."""
        if not self._library.hwgen_trace(self._machine, str(path).encode(), first, last):
            raise UserError(f"{path}: this simulator was built without tracing")
