"""The register map, defined once: the register file, the C header and the documentation are made
from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import hwgen

from ..config import Config
from ..rtl.mac import facts
from .instructions import INSTRUCTIONS, Field

__all__ = [
    "BASES",
    "COUNTERS",
    "IDENTIFICATION",
    "MACS",
    "MAC_LOW",
    "MODES_MOST",
    "REGISTER_BITS",
    "UNITS",
    "ErrorCode",
    "Register",
    "State",
    "counters",
    "number_bits",
    "register_map",
    "registers",
    "unit_registers",
    "units_told",
]

REGISTER_BITS = 32
BASES = 8  # base registers of loads and stores
IDENTIFICATION = int.from_bytes(b"hwgn", "big")

MACS = ("parallel", "serial", "bricks", "subword", "xnor")
"""Kinds of MAC units in the order of their numbers in PARTS."""

MAC_LOW = 26  # bit of PARTS
MODES_MOST = 16  # as a configuration may list

UNITS = tuple(dict.fromkeys(i.unit for i in INSTRUCTIONS))
"""The units that run instructions, in the order of their numbers."""


class State(IntEnum):
    """What the machine does: field `state` of STATUS."""

    IDLE = 0
    RUNNING = 1
    ERROR = 2
    RESETTING = 3


class ErrorCode(IntEnum):
    """Why the machine has stopped: field `error` of STATUS."""

    NONE = 0
    MALFORMED = 1
    NO_END = 2
    ALIGNMENT = 3
    READ_BOUNDS = 4
    WRITE_BOUNDS = 5
    READ_RESPONSE = 6
    WRITE_RESPONSE = 7
    TOKEN_OVERFLOW = 8
    WATCHDOG = 9

    @property
    def doc(self) -> str:
        """One line for people."""
        return {
            ErrorCode.NONE: "no error",
            ErrorCode.MALFORMED: "a malformed instruction; `detail` says what is wrong with it",
            ErrorCode.NO_END: "the program's last instruction is not END",
            ErrorCode.ALIGNMENT: "an address is no multiple of its word (32 bytes for a program)",
            ErrorCode.READ_BOUNDS: "a read outside the read window; it was not issued",
            ErrorCode.WRITE_BOUNDS: "a write outside the write window; it was not issued",
            ErrorCode.READ_RESPONSE: "the memory answered a read with an error",
            ErrorCode.WRITE_RESPONSE: "the memory answered a write with an error",
            ErrorCode.TOKEN_OVERFLOW: "a token counter would have counted beyond its end",
            ErrorCode.WATCHDOG: "nothing has advanced for as many cycles as WATCHDOG says",
        }[self]

    @property
    def sentence(self) -> str:
        """The same for people who do not see the registers."""
        return "a malformed instruction" if self is ErrorCode.MALFORMED else self.doc


@dataclass(frozen=True)
class Register:
    """A register of 32 bits. Fields are packed from the least significant bit, in declared order.

    ``access`` is one of: ``constant``, ``ro`` (read only), ``rw``, ``wo`` (write only; reads as
    zero), ``pulse`` (writing a one starts something; reads as zero), ``w1c`` (set by the hardware,
    cleared by writing a one).
    """

    name: str
    offset: int
    access: str
    doc: str
    fields: tuple[Field, ...]
    reset: int = 0

    @property
    def bits(self) -> int:
        """Bits that exist; the others read as zero."""
        return sum(field.bits for field in self.fields)

    def lows(self) -> dict[str, int]:
        """Lowest bit of each field."""
        result, low = {}, 0
        for field in self.fields:
            result[field.name] = low
            low += field.bits
        return result


COUNTERS = {
    "CYCLES": "cycles from the start of the program to its end",
    "INSTRUCTIONS": "instructions that have left the decoder",
    "ARRAY_BUSY": "cycles of groups that computed a row",
    "ARRAY_STARVED": "cycles of groups that waited for a vector",
    "ARRAY_UNLOADED": "cycles of groups that waited for weights",
    "ARRAY_INTERLOCKED": "cycles of groups that waited for an accumulator row",
    "WAITING_LOAD": "cycles in which the load unit's next instruction waited for tokens",
    "WAITING_STORE": "cycles in which the store unit's next instruction waited for tokens",
    "WAITING_ARRAY": "cycles in which the array's next instruction waited for tokens",
    "WAITING_DRAIN": "cycles in which the drain's next instruction waited for tokens",
    "WAITING_VECTOR": "cycles in which the vector unit's next instruction waited for tokens",
    "BUSY_LOAD": "cycles in which the load unit had an instruction under way",
    "BUSY_STORE": "cycles in which the store unit had an instruction under way",
    "BUSY_ARRAY": "cycles in which the array had an instruction under way",
    "BUSY_DRAIN": "cycles in which the drain had an instruction under way",
    "BUSY_VECTOR": "cycles in which the vector unit had an instruction under way",
    "BYTES_READ": "bytes that have come over the bus, whole beats",
    "BYTES_WRITTEN": "bytes that have gone over the bus, whole beats",
    "FIRED": "outputs whose gate has fired",
}
"""Performance counters: 32 bits, modulo 2**32, cleared by the start of a program."""


def counters(config: Config) -> list[str]:
    """The performance counters that an accelerator of ``config`` has; the others read as zero."""
    return list(COUNTERS) if config.control.counters else ["CYCLES"]


def number_bits(config: Config) -> int:
    """Bits of the number of an instruction in its program: of as many as there are addresses for,
    and no more than a million.
    """
    return min(20, config.bus.address_width - 5)


def _word(doc: str, bits: int = REGISTER_BITS) -> tuple[Field, ...]:
    return (Field("value", bits, doc),)


def _wide(name: str, offset: int, bits: int, doc: str) -> list[Register]:
    """Two registers that hold one number of up to 64 bits."""
    high = max(0, bits - REGISTER_BITS)
    return [
        Register(
            f"{name}_LOW",
            offset,
            "rw",
            f"{doc}, bits 0 to 31",
            _word("", min(bits, 32)) if bits else (),
        ),
        Register(
            f"{name}_HIGH",
            offset + 4,
            "rw",
            f"{doc}, bits 32 to 63",
            _word("", high) if high else (),
        ),
    ]


def _constants(config: Config) -> list[Register]:
    """What the hardware is."""
    array, memory = config.array, config.memory
    version = [int(part) for part in hwgen.__version__.split(".")[:3]]

    def packed(*fields: tuple[str, int, int, str]):
        value, low = 0, 0
        for _name, bits, number, _doc in fields:
            value |= number << low
            low += bits
        return tuple(Field(name, bits, doc) for name, bits, _number, doc in fields), value

    def constant(name: str, offset: int, doc: str, value: int) -> Register:
        return Register(name, offset, "constant", doc, _word(doc), value)

    number, version_value = packed(
        ("patch", 8, version[2], "third number"),
        ("minor", 8, version[1], "second number"),
        ("major", 8, version[0], "first number"),
    )
    shape, shape_value = packed(
        ("clusters", 8, array.clusters, "G"),
        ("engines", 8, array.engines, "c"),
        ("lanes", 8, array.lanes, "R"),
        ("slots", 8, array.slots, "V"),
    )
    parts, parts_value = packed(
        ("group", 8, array.group, "D"),
        ("bus_bytes", 8, config.bus.data_width // 8, "bytes of a beat of the memory port"),
        ("weight_slots", 8, memory.weight_slots, "weight vectors of a group in a weight word"),
        ("gated", 1, int(array.gated), "the array can skip"),
        ("pool", 1, int(config.drain.pool), "there is a vector unit"),
        ("mac", 3, MACS.index(array.mac), ", ".join(f"{n} {mac}" for n, mac in enumerate(MACS))),
        ("counters", 1, int(config.control.counters), "all performance counters are there"),
        ("sequential", 1, int(config.control.sequential), "one instruction at a time, unchecked"),
    )
    digest = int(config.hash[:16], 16)
    words = array.clusters * memory.activation_words
    return [
        constant("ID", 0x000, 'The letters "hwgn"', IDENTIFICATION),
        Register("VERSION", 0x004, "constant", "Version of the generator", number, version_value),
        constant("HASH_LOW", 0x008, "Configuration hash, bits 0 to 31", digest & 0xFFFFFFFF),
        constant("HASH_HIGH", 0x00C, "Configuration hash, bits 32 to 63", digest >> 32),
        Register("SHAPE", 0x010, "constant", "Size of the array", shape, shape_value),
        Register("PARTS", 0x014, "constant", "What else it consists of", parts, parts_value),
        constant("ROWS", 0x018, "Accumulator rows of a group, in each bank", array.rows),
        constant("ACTIVATION_WORDS", 0x01C, "Words of the activation buffer, all banks", words),
        constant("WEIGHT_WORDS", 0x020, "Words of the weight buffer", memory.weight_words),
        constant("PARAMETER_WORDS", 0x024, "Parameter records", memory.parameter_words),
        *_modes(config),
    ]


def _modes(config: Config) -> list[Register]:
    """What the MAC units multiply."""
    modes = facts(config).modes
    result = [
        Register(
            "MODES",
            0x028,
            "constant",
            "How many modes the MAC units have",
            (Field("count", 5, "number of modes; those beyond read as zero"),),
            len(modes),
        )
    ]
    for first in range(0, MODES_MOST, 4):
        doc = (
            "bits of activations less one, and from bit 4 of the field on bits of weights less one"
        )
        fields = tuple(Field(f"mode{number}", 8, doc) for number in range(first, first + 4))
        value = sum(
            (mode.activations - 1 | mode.weights - 1 << 4) << 8 * place
            for place, mode in enumerate(modes[first : first + 4])
        )
        name, doc = f"MODES{first}", f"Modes {first} to {first + 3}"
        result.append(Register(name, 0x02C + first, "constant", doc, fields, value))
    return result


def _operation(config: Config) -> list[Register]:
    """Start, stop, state and interrupts."""
    interrupts = (
        Field("done", 1, "a program has ended"),
        Field("error", 1, "the machine has stopped in the error state"),
    )
    return [
        Register(
            "CONTROL",
            0x040,
            "pulse",
            "Starts things",
            (
                Field("start", 1, "run the program; has no effect unless the state is idle"),
                Field("reset", 1, "soft reset: ends everything, clears the error and interrupts"),
            ),
        ),
        Register(
            "STATUS",
            0x044,
            "ro",
            "State of the machine",
            (
                Field("state", 4, ", ".join(f"{s.value} {s.name.lower()}" for s in State)),
                Field("error", 4, "error code"),
                Field(
                    "unit", 4, "which unit: " + ", ".join(f"{n} {u}" for n, u in enumerate(UNITS))
                ),
                Field("detail", 4, "what is wrong with a malformed instruction"),
                Field("bus_idle", 1, "no transaction of the memory port is under way"),
            ),
        ),
        Register(
            "ERROR_INDEX",
            0x048,
            "ro",
            "Instruction that the error is about, counted from the program's start; the one at "
            "the decoder where the unit keeps none",
            _word("number of the instruction", number_bits(config)),
        ),
        Register("INTERRUPT_ENABLE", 0x04C, "rw", "Which interrupts raise irq", interrupts),
        Register("INTERRUPT_STATUS", 0x050, "w1c", "Which interrupts are pending", interrupts),
        *_wide("PROGRAM", 0x058, config.bus.address_width, "Address of the program"),
        Register(
            "LENGTH",
            0x060,
            "rw",
            "Length of the program",
            _word("instructions", number_bits(config)),
        ),
        Register(
            "WATCHDOG",
            0x064,
            "rw",
            "Cycles without progress after which the machine stops; 0: never",
            _word("cycles", config.control.watchdog_bits),
            (1 << config.control.watchdog_bits) - 1,
        ),
        Register(
            "COUNT_INDEX",
            0x068,
            "rw",
            "Which counter of fired outputs COUNT shows",
            (
                Field("slot", 10, "slot of the group, 0 to D*V-1"),
                Field("group", 6, "group of the cluster"),
                Field("cluster", 4, "cluster"),
            )
            if config.array.gated
            else (),
        ),
        Register(
            "COUNT",
            0x06C,
            "ro",
            "Fired outputs of the slot",
            _word("number of outputs") if config.array.gated else (),
        ),
    ]


def units_told(parts: int, modes: Sequence[int]) -> str:
    """What multiplies, in words: from the values of PARTS, and of MODES and those that follow."""
    mac, (count, *words) = parts >> MAC_LOW & 7, modes
    kind = MACS[mac] if mac < len(MACS) else f"kind {mac}"
    codes = [word >> 8 * place & 0xFF for word in words for place in range(4)][:count]
    listed = ", ".join(f"{(code & 15) + 1}x{(code >> 4) + 1}" for code in codes)
    return f"{kind} units ({listed})"


def unit_registers(config: Config) -> list[Register]:
    """PARTS, MODES and those that follow: what a program that multiplies relies on."""
    return [r for r in _constants(config) if r.name == "PARTS" or r.name.startswith("MODES")]


def registers(config: Config) -> tuple[Register, ...]:
    """All registers of an accelerator of ``config``, by offset."""
    address = config.bus.address_width
    end = min(64, address + 1)
    windows = [
        ("READ_START", address, "First byte that may be read"),
        ("READ_END", end, "First byte behind those that may be read"),
        ("WRITE_START", address, "First byte that may be written"),
        ("WRITE_END", end, "First byte behind those that may be written"),
    ]
    result = _constants(config) + _operation(config)
    for n in range(BASES):
        bits = address if n < config.control.bases else 0
        result += _wide(f"BASE{n}", 0x080 + 8 * n, bits, f"Base register {n}")
    for n, (name, bits, doc) in enumerate(windows):
        result += _wide(name, 0x0C0 + 8 * n, bits, doc)
    for n, (name, doc) in enumerate(COUNTERS.items()):
        access = "ro" if name in counters(config) else "constant"
        said = doc[0].upper() + doc[1:]
        result.append(Register(name, 0x100 + 4 * n, access, said, _word("count")))
    if config.control.sequential:
        result = [replace(r, access="wo") if _stored(r) else r for r in result]
    return tuple(result)


def _stored(register: Register) -> bool:
    """Whether a register may lie in a memory: the hardware looks at it now and then."""
    return register.access == "rw" and register.name not in ("WATCHDOG", "INTERRUPT_ENABLE")


def register_map(config: Config) -> list[dict]:
    """The register map for programs: what the JSON beside the Verilog holds."""
    return [
        {
            "name": register.name,
            "offset": register.offset,
            "access": register.access,
            "reset": register.reset,
            "doc": register.doc,
            "fields": [
                {"name": f.name, "low": register.lows()[f.name], "bits": f.bits, "doc": f.doc}
                for f in register.fields
            ],
        }
        for register in registers(config)
    ]
