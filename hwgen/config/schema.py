"""The configuration schema: every knob of the generator, its range, its meaning, its cost.

This is the only definition. ``hwgen configs``, the JSON beside the Verilog and the checks on load
are made from it. The defaults are those of the reference configuration ``cgnet8``, so a file names
only what differs.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

import hwgen
from hwgen.config.values import Choice, Modes, Pattern, PowerOfTwo, Range, parameter

__all__ = [
    "ArrayConfig",
    "BusConfig",
    "Config",
    "ControlConfig",
    "DrainConfig",
    "MemoryConfig",
]

ACCUMULATOR_BITS = 32
"""Width of every accumulator: fixed by the contract, not a knob."""

ADDRESSABLE_WORDS = 1 << 18
"""Words of the activation buffer, over all clusters, that an instruction can address."""

AXI_BURST_BYTES = 4096
"""No AXI4 burst crosses an address that is a multiple of this."""


def cannot(field: str, accepted: str, value: Any) -> PydanticCustomError:
    """The error of a combination: the field to change, what the others allow, what it is."""
    return PydanticCustomError(
        "combination",
        "{field}: must be {accepted}, not {value}",
        {"field": field, "accepted": accepted, "value": value},
    )


def _as_tuple(value: Any) -> Any:
    """TOML has lists; a configuration has what cannot change."""
    return tuple(value) if isinstance(value, list) else value


class Section(BaseModel):
    """A table of the file: read-only, without unknown fields, without silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ArrayConfig(Section):
    """The systolic array: how many engines, how they are grouped and what each holds."""

    clusters: Annotated[int, PowerOfTwo(1, 16)] = parameter(
        4,
        "G: systolic chains that work on different positions with the same, broadcast weights.",
        area="All of a cluster (engines, accumulators, activation bank, drain) is there G times.",
        speed="G times the positions at once; gated layers balance better with many short chains.",
    )
    engines: Annotated[int, Range(1, 32)] = parameter(
        8,
        "c: engines in a chain; an activation vector moves through all of them.",
        area="Proportional: multipliers, weight registers and accumulators.",
        speed="c times the output channels at once; long chains lose balance in gated layers.",
    )
    lanes: Annotated[int, PowerOfTwo(2, 32)] = parameter(
        8,
        "R: input channels multiplied at once in an engine (the length of its dot product).",
        area="R multipliers an engine and memories R activations wide.",
        speed="R multiplications an engine and cycle; lanes beyond a layer's channels, or beyond "
        "the channels of its base part, idle.",
    )
    slots: Annotated[int, Range(1, 32)] = parameter(
        8,
        "V: output channels of an engine; in a dense pass a vector stays V cycles.",
        area="2*V*R weights an engine; accumulator rows are shared among the V channels.",
        speed="The activation memory is read once in V cycles; layers with fewer than c*V output "
        "channels leave slots empty.",
    )
    group: Annotated[int, PowerOfTwo(1, 16)] = parameter(
        4,
        "D: engines in lockstep that share a queue, hold the same weights and are dealt each "
        "other's tasks; it must divide the engines of a chain.",
        area="Every engine holds the weights of D*V channels, twice: 2*D*V*R bytes; fewer queues.",
        speed="Work of a gated layer is balanced over D engines; no effect on dense layers.",
    )
    queue: Annotated[int, Range(2, 16)] = parameter(
        8,
        "Q: activation vectors that wait in front of a group.",
        area="Q*R activations a group.",
        speed="Evens out short bursts of work; beyond 4 hardly anything once D is 2 or more.",
    )
    rows: Annotated[int, PowerOfTwo(16, 4096)] = parameter(
        512,
        "Accumulator rows of a group, D sums of 32 bits each, in each of two banks; a tile has at "
        "most rows / V positions a cluster.",
        area="Proportional: accumulators, and the task store of a gated array.",
        speed="Larger tiles load weights less often and average out uneven masks.",
    )
    mac: Annotated[str, Choice("parallel", "serial", "bricks", "subword", "xnor")] = parameter(
        "parallel",
        "Kind of MAC unit: R multipliers of 8x8 bits; one activation bit a step; 2x2-bit bricks "
        "that fuse to wider products; multipliers that split into narrower ones; or products of "
        "1 and -1.",
        area="A serial unit replaces multipliers by gates and an adder tree; bricks and subwords "
        "cost by their modes; an xnor unit is a counter of ones.",
        speed="A vector takes a cycle in parallel, subword and xnor units, a cycle for each bit of "
        "the activations in serial ones, and for two bits of the weights in bricks.",
    )
    modes: Annotated[
        tuple[str, ...], BeforeValidator(_as_tuple), Modes(), PlainSerializer(list)
    ] = parameter(
        (),
        "Widths that the MAC unit multiplies, activations x weights; a pass is in one of them. "
        "Empty: 8x8 only (xnor: 1x1, subword: 16x16, 8x8, 4x4).",
        area="Each mode costs what it needs beyond the others; narrow activations need the packer "
        "in the vector unit, narrow weights a shifter in the load unit.",
        speed="A vector of 8R bits holds more operands of fewer bits, or takes fewer steps.",
    )
    activation_bits: Annotated[int, Range(8, 8)] = parameter(
        8,
        "Bits of a stored activation.",
        area="Width of activation memories, queues and multipliers.",
        speed="None for parallel units; the steps of serial ones.",
    )
    weight_bits: Annotated[int, Range(8, 8)] = parameter(
        8,
        "Bits of a stored weight.",
        area="Width of weight memories and multipliers.",
        speed="Bytes to fetch for each layer.",
    )
    gated: bool = parameter(
        True,
        "Whether the array can skip: gate, task lists and index decoder. False leaves them out "
        "of the hardware, and every layer is computed densely.",
        area="Gate, task store, dealing, decoder and the index bits of queues.",
        speed="Gated layers cost what their masks leave over; dense layers are equally fast.",
    )
    deep_pipeline: bool = parameter(
        False,
        "Whether there is a register more before the multipliers and, with parallel MAC units, one "
        "behind them. Worth it on FPGAs, whose multipliers and block RAMs are far apart, and whose "
        "block RAMs answer late in their cycle.",
        area="32 * lanes flip-flops an engine, and the rows that go beside them; on an ECP5 a "
        "third of them are in the block RAM of the weights.",
        speed="A pass ends two cycles later (one without parallel units); the clock can be faster.",
    )
    trim_planes: bool = parameter(
        False,
        "Whether bit-serial units leave out the upper bits of a vector that are zeros, or copies "
        "of the sign, in all lanes. Only dense arrays of several modes can.",
        area="A shifter of R bytes a group, and 6 bits more for each vector in its queue.",
        speed="A vector takes as many cycles as the next mode that holds it.",
    )


class DrainConfig(Section):
    """What happens to a finished sum: requantization, residual, pooling."""

    lanes: Annotated[int, PowerOfTwo(1, 8)] = parameter(
        1,
        "Requantizers of a cluster, at most one a group.",
        area="A multiplier of 32 x multiplier_bits each.",
        speed="Finished sums that leave a cluster in a cycle.",
    )
    multiplier_bits: Annotated[int, Range(8, 24)] = parameter(
        16,
        "Bits of the requantization multiplier M (signed).",
        area="The requantizer's multiplier and the parameter memory.",
        speed="None; fewer bits approximate the scale less closely.",
    )
    shift_max: Annotated[int, Range(15, 47)] = parameter(
        31,
        "Largest shift S of a requantization.",
        area="The requantizer's shifter and the parameter memory.",
        speed="None; a larger shift allows smaller scales.",
    )
    residual: bool = parameter(
        True,
        "Whether the drain can add a residual. False leaves its reader of the activation buffer "
        "and its products out, and the compiler refuses layers that have one.",
        area="A read port of the activation buffer, two multipliers and a queue a lane, 32 bits a "
        "record.",
        speed="None.",
    )
    pool: bool = parameter(
        True,
        "Whether the pooling unit (maximum, average, global average) is present.",
        area="A requantizer, a row of sums of R lanes and a copy of the parameters, once.",
        speed="Without it the compiler refuses maxima; sums and additions are for the array.",
    )

    @property
    def shift_bits(self) -> int:
        """Bits that hold a shift from 0 to ``shift_max``."""
        return self.shift_max.bit_length()


class MemoryConfig(Section):
    """The memories on chip."""

    activation_words: Annotated[int, PowerOfTwo(64, 65536)] = parameter(
        4096,
        "Words of R activations for each cluster in the activation buffer, which all share.",
        area="Proportional; the largest memory of most configurations.",
        speed="Whole layers on chip need no reload; a small buffer means small tiles.",
    )
    banks: Annotated[int, PowerOfTwo(1, 4)] = parameter(
        4,
        "Banks of the activation buffer for each cluster; a bank reads a word a cycle.",
        area="Arbiters and multiplexers of each bank; the memories get shallower, not fewer bits.",
        speed="Vectors for the array, residuals and stores wait for each other less.",
    )
    weight_words: Annotated[int, PowerOfTwo(16, 65536)] = parameter(
        8192,
        "Words of n * weight_slots * R weights (n groups of a cluster, rounded up to a power of "
        "two) in the weight buffer that is shared by the clusters.",
        area="Proportional.",
        speed="Weights that stay for the next tile are not fetched again.",
    )
    weight_slots: Annotated[int, PowerOfTwo(1, 16)] = parameter(
        1,
        "Weight vectors of R weights that a word of the weight buffer has for each group; a word "
        "is broadcast in a cycle; at most array.group.",
        area="Width of the weight buffer, of the broadcast and of the weight memories of the "
        "engines: shallow wide memories are larger than deep narrow ones.",
        speed="A chunk loads in group * slots / weight_slots cycles; a conditional pass over few "
        "tasks may wait for it.",
    )
    parameter_words: Annotated[int, PowerOfTwo(8, 4096)] = parameter(
        128,
        "Output channels whose requantization parameters (M, B, S of both paths) each cluster "
        "holds.",
        area="Proportional, in every cluster.",
        speed="Parameters that stay are not fetched again.",
    )
    style: Annotated[str, Choice("auto", "macro")] = parameter(
        "auto",
        "How memories are written: inferred by the synthesis tool, or as black boxes to which an "
        "ASIC flow binds SRAM macros.",
        area="Macros are denser than flip-flops; on an FPGA use auto.",
        speed="None in cycles.",
    )


class BusConfig(Section):
    """The AXI4 memory port."""

    data_width: Annotated[int, PowerOfTwo(32, 256)] = parameter(
        128,
        "Bits of the AXI4 data bus.",
        area="Aligners, data buffers and the width of the weight buffer.",
        speed="Bytes a cycle; late layers with many weights wait for this.",
    )
    address_width: Annotated[int, Range(16, 64)] = parameter(
        32,
        "Bits of a memory address.",
        area="Address counters, base and bounds registers.",
        speed="None.",
    )
    outstanding: Annotated[int, Range(1, 16)] = parameter(
        4,
        "Read bursts that may be under way at once.",
        area="A counter and the buffer for their data.",
        speed="Hides memory latency: bytes under way are outstanding * burst * data_width / 8.",
    )
    burst: Annotated[int, Range(1, 256)] = parameter(
        16,
        "Beats of the longest burst; burst * data_width / 8 may not exceed 4096.",
        area="Counters, and the buffer for the data of outstanding reads.",
        speed="Fewer addresses for the same bytes.",
    )


class ControlConfig(Section):
    """Instruction queues, performance counters and the watchdog."""

    watchdog_bits: Annotated[int, Range(8, 32)] = parameter(
        24,
        "Bits of the watchdog: it stops the machine after 2**watchdog_bits cycles without "
        "progress.",
        area="A counter.",
        speed="None; too few bits and a slow memory looks like a hang.",
    )
    queue_depth: Annotated[int, PowerOfTwo(2, 64, zero=True)] = parameter(
        8,
        "Instructions that wait in front of each of load, compute and store. 0: there are no "
        "queues; an instruction waits in the decoder for its tokens and its unit, and all others "
        "behind it. Who posts must then stand before who waits, as in compiled programs.",
        area="An instruction word each; with 0 also who asks for tokens.",
        speed="How far loads run ahead of computation.",
    )
    prefetch: Annotated[int, PowerOfTwo(1, 16)] = parameter(
        4,
        "Instructions that are asked for or wait for the decoder. With 1 the next one is asked for "
        "when the last has left.",
        area="256 bits each, the first in flip-flops.",
        speed="Programs of short instructions wait for the memory's latency.",
    )
    bases: Annotated[int, PowerOfTwo(4, 8)] = parameter(
        8,
        "Base registers of loads and stores; the others read as zero.",
        area="An address each, and its place in the register file, in front of load and store.",
        speed="None; compiled programs use three.",
    )
    token_bits: Annotated[int, Range(2, 8)] = parameter(
        8,
        "Bits of a token counter: how many instructions of a unit may have ended that another unit "
        "has not yet waited for.",
        area="Twenty counters, twelve without vector unit.",
        speed="None; a program that counts further stops the machine.",
    )
    counters: bool = parameter(
        True,
        "Whether there are performance counters. False leaves the one of cycles; the others read "
        "as zero.",
        area="A counter of 32 bits and its place in the register file, 18 times.",
        speed="None.",
    )


class Config(Section):
    """One accelerator."""

    name: Annotated[
        str,
        Pattern(
            "[a-z][a-z0-9_]{0,62}",
            "a lower-case letter, then up to 62 lower-case letters, digits and underscores",
        ),
    ] = parameter(
        "custom",
        "Name of the generated files and of the top module.",
        area="None.",
        speed="None.",
    )
    description: Annotated[
        str,
        Pattern(r"[^\x00-\x1f\x7f\\]{0,200}", "one line of up to 200 characters without backslash"),
    ] = parameter("", "One line about it, for people.", area="None.", speed="None.")
    array: ArrayConfig = ArrayConfig()
    drain: DrainConfig = DrainConfig()
    memory: MemoryConfig = MemoryConfig()
    bus: BusConfig = BusConfig()
    control: ControlConfig = ControlConfig()

    @model_validator(mode="after")
    def _combinations(self) -> "Config":
        """Refuse fields that are each in range but cannot work together."""
        array, memory, bus = self.array, self.memory, self.bus
        self._check_modes()
        if array.engines % array.group:
            raise cannot(
                "array.group", f"a divisor of array.engines ({array.engines})", array.group
            )
        if memory.weight_slots > array.group:
            raise cannot(
                "memory.weight_slots", f"at most array.group ({array.group})", memory.weight_slots
            )
        if self.drain.lanes > self.groups:
            raise cannot(
                "drain.lanes",
                f"at most {self.groups}, the groups of a cluster (array.engines / array.group)",
                self.drain.lanes,
            )
        if self.weight_part_bits < ACCUMULATOR_BITS:
            raise cannot(
                "memory.weight_slots",
                f"at least {ACCUMULATOR_BITS // self.vector_bits} with array.lanes = "
                f"{array.lanes}: a weight word holds a threshold of 32 bits for each group",
                memory.weight_slots,
            )
        if array.rows < array.slots:
            raise cannot(
                "array.rows",
                f"at least array.slots ({array.slots}): one position of all channels of an engine",
                array.rows,
            )
        if memory.activation_words < 2 * self.positions_per_cluster:
            raise cannot(
                "memory.activation_words",
                f"at least {2 * self.positions_per_cluster}: one tile in and one tile out, "
                f"of array.rows / array.slots = {self.positions_per_cluster} positions each",
                memory.activation_words,
            )
        if array.clusters * memory.activation_words > ADDRESSABLE_WORDS:
            raise cannot(
                "memory.activation_words",
                f"at most {ADDRESSABLE_WORDS // array.clusters} for each of array.clusters = "
                f"{array.clusters} (instructions address {ADDRESSABLE_WORDS} words)",
                memory.activation_words,
            )
        if memory.weight_words < 2 * self.chunk_words:
            raise cannot(
                "memory.weight_words",
                f"at least {2 * self.chunk_words}: two chunks, each a kernel tap of array.lanes "
                f"channels for the {self.channels_per_pass} output channels of a pass",
                memory.weight_words,
            )
        if memory.parameter_words < self.channels_per_pass:
            raise cannot(
                "memory.parameter_words",
                f"at least the {self.channels_per_pass} output channels of a pass "
                "(array.engines * array.slots)",
                memory.parameter_words,
            )
        if bus.burst * bus.data_width // 8 > AXI_BURST_BYTES:
            raise cannot(
                "bus.burst",
                f"at most {AXI_BURST_BYTES * 8 // bus.data_width} beats of bus.data_width = "
                f"{bus.data_width} bits (an AXI4 burst stays within 4096 bytes)",
                bus.burst,
            )
        return self

    def _check_modes(self) -> None:
        """Refuse modes that the MAC unit lacks, or whose operands nothing could pack."""
        from hwgen.rtl.mac import KINDS, Mode, facts, trim_needs

        kind = KINDS[self.array.mac]
        for text in self.array.modes:
            if not kind.can(Mode.parse(text)):
                raise cannot("array.modes", f"{kind.CAN} with array.mac = {self.array.mac}", text)
        if self.array.trim_planes and (needs := trim_needs(self)):
            raise cannot("array.trim_planes", needs, "true")
        if not self.drain.pool and facts(self).packs:
            raise cannot(
                "drain.pool",
                "true with several activations in a byte (array.modes): the vector unit packs them",
                "false",
            )

    # Derived numbers: what others would otherwise work out again, each in its own way.

    @property
    def macs(self) -> int:
        """Multiplications a cycle of the whole array with parallel MAC units."""
        return self.array.clusters * self.array.engines * self.array.lanes

    @property
    def channels_per_pass(self) -> int:
        """Output channels that one pass computes: engines of a chain times slots."""
        return self.array.engines * self.array.slots

    @property
    def groups(self) -> int:
        """Groups of a chain."""
        return self.array.engines // self.array.group

    @property
    def channels_per_group(self) -> int:
        """Output channels whose weights each engine of a group holds."""
        return self.array.group * self.array.slots

    @property
    def positions_per_cluster(self) -> int:
        """Positions of a tile that one cluster holds when all slots are used."""
        return self.array.rows // self.array.slots

    @property
    def positions_per_tile(self) -> int:
        """Positions of a tile, over all clusters, when all slots are used."""
        return self.array.clusters * self.positions_per_cluster

    @property
    def chunk_words(self) -> int:
        """Weight words of a chunk when all slots are used; the last one is padded."""
        return -(-self.channels_per_group // self.memory.weight_slots)

    @property
    def vector_bits(self) -> int:
        """Bits of an activation vector: a word of an activation bank."""
        return self.array.lanes * self.array.activation_bits

    @property
    def weight_part_bits(self) -> int:
        """Bits of a weight word that are for one group."""
        return self.memory.weight_slots * self.array.lanes * self.array.weight_bits

    @property
    def weight_word_bits(self) -> int:
        """Bits of a weight word: a part for each group, padded to a power of two."""
        return self.weight_part_bits << (self.groups - 1).bit_length()

    @property
    def accumulator_bits(self) -> int:
        """Bits of an accumulator."""
        return ACCUMULATOR_BITS

    @property
    def activation_banks(self) -> int:
        """Banks of the activation buffer: the word of an address is in bank address mod banks."""
        return self.array.clusters * self.memory.banks

    @property
    def activation_rows(self) -> int:
        """Words of a bank of the activation buffer."""
        return self.memory.activation_words // self.memory.banks

    @property
    def activation_bytes(self) -> int:
        """Bytes of all activation banks together."""
        return self.array.clusters * self.memory.activation_words * self.vector_bits // 8

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weight buffer."""
        return self.memory.weight_words * self.weight_word_bits // 8

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over the version of hwgen and every field, whatever way they were given.

        It is in the header of the Verilog, in the JSON and in a register, so that a program can be
        checked against the hardware it was compiled for.
        """
        fields = json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(f"hwgen {hwgen.__version__}\n{fields}".encode()).hexdigest()

    def override(self, settings: Iterable[str] | Mapping[str, Any] = ()) -> "Config":
        """A copy with fields replaced: ``{"array.lanes": 4}`` or ``["array.lanes=4"]``."""
        from hwgen.config.loading import build

        return build(self.model_dump(), settings, source=self.name)
