"""cocotb benches of single blocks, as emitted, against their integer models.

Each module has the block as ``BLOCK`` and its tests; `emit` makes the Verilog.
"""

from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

from hwgen.memory import EmissionTarget
from hwgen.verilog.emit import assemble, write_modules
from hwgen.verilog.split import split

__all__ = ["emit", "power_on"]


def emit(block, name: str) -> str:
    """The Verilog of a component, written as the accelerator's is; its top module is ``name``."""
    hierarchy = split(block, name=name, platform=EmissionTarget())
    return assemble(hierarchy, write_modules(hierarchy), header=f"{name}, alone")


async def power_on(dut, **inputs: int) -> None:
    """Clock and reset, with the inputs at rest."""
    for name, value in inputs.items():
        getattr(dut, name).value = value
    dut.rst.value = 1
    Clock(dut.clk, 10, unit="ns").start()
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 1)
