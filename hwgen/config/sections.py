"""The tables of a configuration: every field, its range, its meaning, its cost."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from hwgen.config.values import Choice, Modes, PowerOfTwo, Range, parameter

__all__ = [
    "ArrayConfig",
    "BusConfig",
    "ControlConfig",
    "DrainConfig",
    "MemoryConfig",
    "Section",
]


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
    sequential: bool = parameter(
        False,
        "One instruction after the other, each to its end, on units that share what they have: for "
        "an array of one engine without gates, on a bus of 32 bits. Tokens are not looked at, "
        "fields are not checked.",
        area="A third of the smallest accelerator without.",
        speed="Loads, passes and drains do not overlap.",
    )
