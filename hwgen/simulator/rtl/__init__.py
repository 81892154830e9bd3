"""The emitted Verilog, compiled with Verilator, beside a memory in C++."""

from .accelerator import library
from .build import build
from .simulator import MemoryModel, RtlSimulator

__all__ = ["MemoryModel", "RtlSimulator", "build", "library"]
