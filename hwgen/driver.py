"""Talking to an accelerator: the same code whatever carries the words."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from .compiler.network import INPUT_BASE, WORK_BASE, Compiled
from .compiler.program import encode
from .config import Config
from .errors import UserError
from .isa.checks import Reason
from .isa.registers import (
    IDENTIFICATION,
    UNITS,
    ErrorCode,
    Register,
    State,
    registers,
    unit_registers,
    units_told,
)

__all__ = ["Driver", "HardwareError", "Transport"]

ALIGNMENT = 4096  # of the program, the constants and the tensors in memory


class Transport(Protocol):
    """What carries register accesses and memory contents to an accelerator."""

    def write_register(self, address: int, value: int) -> None:
        """Write a 32-bit register."""

    def read_register(self, address: int) -> int:
        """Read a 32-bit register."""

    def write_memory(self, address: int, data: bytes) -> None:
        """Fill the accelerator's memory."""

    def read_memory(self, address: int, size: int) -> bytes:
        """Read the accelerator's memory."""

    def wait(self, cycles: int) -> bool:
        """Wait for the interrupt, for about so many cycles; whether it has come."""


class HardwareError(UserError):
    """The machine has stopped in its error state; the message says what it told."""


def _stopped(status: dict[str, int], index: int) -> str:
    """Why the machine has stopped, from the fields of STATUS and ERROR_INDEX."""
    code = ErrorCode(status["error"])
    why = code.sentence
    if code is ErrorCode.MALFORMED:
        why += f": {Reason(status['detail']).doc}"
    return f"the accelerator stopped in instruction {index} ({UNITS[status['unit']]} unit): {why}"


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


class Driver:
    """One accelerator behind a transport.

    Parameters
    ----------
    transport : Transport
        The way to it.
    config : Config
        What it was generated from; checked against the hash in its registers.

    Raises
    ------
    UserError
        If something else answers.
    """

    def __init__(self, transport: Transport, config: Config):
        self.transport, self.config = transport, config
        self._registers: dict[str, Register] = {r.name: r for r in registers(config)}
        if (found := self.read("ID")) != IDENTIFICATION:
            raise UserError(f"there is no hwgen accelerator: ID reads {found:#010x}")
        digest = self.read("HASH_HIGH") << 32 | self.read("HASH_LOW")
        if digest != int(config.hash[:16], 16):
            raise UserError(
                f"the accelerator was generated from another configuration than {config.name}: "
                f"its hash is {digest:016x}, not {config.hash[:16]}; it has {self.units()}"
            )

    def units(self) -> str:
        """What the accelerator multiplies with, as its registers say."""
        parts, *modes = (self.read(register.name) for register in unit_registers(self.config))
        return units_told(parts, modes)

    # Registers

    def read(self, name: str) -> int:
        """A register by name."""
        return self.transport.read_register(self._registers[name].offset)

    def write(self, name: str, value: int) -> None:
        """A register by name; ``NAME`` of a pair NAME_LOW, NAME_HIGH writes both."""
        if name in self._registers:
            self.transport.write_register(self._registers[name].offset, value)
            return
        self.write(f"{name}_LOW", value & 0xFFFFFFFF)
        if self._registers[f"{name}_HIGH"].bits:
            self.write(f"{name}_HIGH", value >> 32)

    def fields(self, name: str) -> dict[str, int]:
        """The fields of a register."""
        register, value = self._registers[name], self.read(name)
        lows = register.lows()
        return {f.name: value >> lows[f.name] & ((1 << f.bits) - 1) for f in register.fields}

    def _bit(self, name: str, field: str) -> int:
        return 1 << self._registers[name].lows()[field]

    # Running

    def start(self, address: int, instructions: int) -> None:
        """Run a program that lies in memory; returns at once."""
        self.write("PROGRAM", address)
        self.write("LENGTH", instructions)
        self.write("INTERRUPT_STATUS", 3)
        self.write("INTERRUPT_ENABLE", 3)
        self.write("CONTROL", self._bit("CONTROL", "start"))

    def finish(self, cycles: int) -> None:
        """Wait for the end of the program; errors become a sentence."""
        interrupted = self.transport.wait(cycles)
        status = self.fields("STATUS")
        if status["state"] == State.ERROR:
            raise HardwareError(_stopped(status, self.read("ERROR_INDEX")))
        if not interrupted:
            raise HardwareError(f"the accelerator has not finished after {cycles} cycles")
        self.write("INTERRUPT_STATUS", 3)

    def reset(self, attempts: int = 10_000) -> None:
        """Soft reset; looks up to ``attempts`` times whether the memory bus has come to rest.

        Raises
        ------
        HardwareError
            If it has not: the memory still owes answers.
        """
        self.write("CONTROL", self._bit("CONTROL", "reset"))
        for _ in range(attempts):
            if self.fields("STATUS")["state"] == State.IDLE:
                return
        raise HardwareError("the accelerator cannot be reset: its memory does not answer")

    def counters(self) -> dict[str, int]:
        """Performance counters of the last program: those that there are."""
        return {
            name: self.read(name)
            for name in self._registers
            if self._registers[name].offset >= 0x100 and self._registers[name].access == "ro"
        }

    def load(self, compiled: Compiled, memory_bytes: int, start: int = 0) -> "Session":
        """Put a program and its constants into memory."""
        return Session(self, compiled, memory_bytes, start)


class Session:
    """A compiled network in the memory of an accelerator, ready for images."""

    def __init__(self, driver: Driver, compiled: Compiled, memory_bytes: int, start: int):
        self.driver, self.compiled = driver, compiled
        if compiled.config.hash != driver.config.hash:
            parts, *modes = (register.reset for register in unit_registers(compiled.config))
            raise UserError(
                f"network {compiled.network.name} was compiled for {compiled.config.name}, which "
                f"has {units_told(parts, modes)}; the accelerator is {driver.config.name} and has "
                f"{driver.units()}"
            )
        code = encode(compiled.program, compiled.config)
        self.program = start
        self.constants = self.program + _aligned(len(code))
        self.input = self.constants + _aligned(len(compiled.program.constants))
        self.work = self.input + _aligned(compiled.input.bytes)
        self.end = self.work + _aligned(compiled.work_bytes)
        reach = (1 << compiled.config.bus.address_width) - start
        if self.end > start + min(memory_bytes, reach):
            raise UserError(
                f"network {compiled.network.name} needs {self.end - start} bytes of memory, "
                + (
                    f"{memory_bytes} are there"
                    if memory_bytes <= reach
                    else f"configuration {compiled.config.name} reaches {reach} (bus.address_width)"
                )
            )
        driver.transport.write_memory(self.program, code)
        driver.transport.write_memory(self.constants, compiled.program.constants)
        for base, address in (
            (0, self.constants),
            (INPUT_BASE, self.input),
            (WORK_BASE, self.work),
        ):
            driver.write(f"BASE{base}", address)
        driver.write("READ_START", self.program)
        driver.write("READ_END", self.end)
        driver.write("WRITE_START", self.work)
        driver.write("WRITE_END", self.end)

    def run(
        self,
        image: np.ndarray,
        *,
        cycles: int = 1 << 40,
        inspect: Callable[[str, np.ndarray], None] | None = None,
    ) -> np.ndarray:
        """The network's first result for an integer image; ``inspect`` gets every edge by name.

        A program for a batch takes and gives arrays with the number of the image in front.
        """
        compiled, transport = self.compiled, self.driver.transport
        transport.write_memory(self.input, compiled.input.pack(image))
        self.driver.start(self.program, len(compiled.program.steps))
        self.driver.finish(cycles)
        if inspect is not None:
            for layer in compiled.network.layers:
                if layer.kind not in ("input", "flatten") and layer.name in compiled.views:
                    inspect(layer.name, self.edge(layer.name))
        return self.edge(compiled.network.outputs[0].name)

    def edge(self, name: str) -> np.ndarray:
        """The integers of an edge, as the last run left them."""
        view = self.compiled.views[name]
        tensor = view.tensor
        base = self.input if tensor.base == INPUT_BASE else self.work
        return view.unpack(self.driver.transport.read_memory(base + tensor.offset, tensor.bytes))
