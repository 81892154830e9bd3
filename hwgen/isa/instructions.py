"""The instruction set, defined once: every other description of an instruction is made from these
tables.

An instruction is 256 bits, eight little-endian 32-bit words. Bits 0..47 are the same in all of them
(`HEADER`); the rest belongs to the opcode. Each unit of the accelerator has its own queue of
instructions and runs them in order; between units there is no order but that of the tokens: an
instruction waits until each counter in `wait` is above zero, takes one token from each, and adds
one to each counter in `post` when all it does has become visible to the others.
"""

from dataclasses import dataclass

__all__ = [
    "HEADER",
    "INSTRUCTIONS",
    "INSTRUCTION_BITS",
    "TOKENS",
    "TOKEN_BITS",
    "Field",
    "Instruction",
    "by_name",
]

INSTRUCTION_BITS = 256
TOKENS = 20  # one for each ordered pair of the five units that do work
TOKEN_BITS = 8  # of a counter; a program that would count further is an error


@dataclass(frozen=True)
class Field:
    """One field of an instruction. Fields are packed from the least significant bit, in declared
    order.

    An ``optional`` field may be left out of an instruction, which makes it zero. It belongs to
    something that not every accelerator has; where it is missing the field must be zero.
    """

    name: str
    bits: int
    doc: str
    signed: bool = False
    least: int = 0  # smallest value of an unsigned field
    optional: bool = False

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value."""
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return self.least, (1 << self.bits) - 1


@dataclass(frozen=True)
class Instruction:
    """An opcode, the unit that runs it, and its fields behind the header."""

    name: str
    opcode: int
    unit: str
    doc: str
    fields: tuple[Field, ...]


HEADER = (
    Field("opcode", 8, "which instruction"),
    Field(
        "wait",
        TOKENS,
        "token counters that must be above zero; one is taken from each before the start",
    ),
    Field("post", TOKENS, "token counters that get one token at the end"),
)

END = Instruction(
    "END",
    1,
    "fetch",
    "Waits for its tokens, then for every unit to be idle; ends the program and raises the `done` "
    "interrupt.",
    (),
)

LOAD = Instruction(
    "LOAD",
    2,
    "load",
    "Copies `planes` x `rows` x `words` words from memory to a buffer on chip. A word is R bytes "
    "for activations, a weight word for weights (`weight_slots` x R bytes for each of the n "
    "groups, padded to a power of two), and a record of 32 bytes for parameters.",
    (
        Field("target", 2, "0 activations, 1 weights, 2 parameters of the drain"),
        Field("base", 3, "base register that is added to `address`"),
        Field("address", 32, "byte offset from the base; a multiple of the word"),
        Field("words", 16, "words of a row, consecutive on both sides", least=1),
        Field("rows", 16, "rows of a plane", least=1),
        Field("planes", 12, "planes", least=1),
        Field("row_stride", 24, "words from row to row in memory"),
        Field("plane_stride", 24, "words from plane to plane in memory"),
        Field("buffer", 18, "first word in the buffer (activations: across banks)"),
        Field("buffer_row_stride", 16, "words from row to row in the buffer"),
        Field("buffer_plane_stride", 18, "words from plane to plane in the buffer"),
        Field(
            "bits",
            4,
            "0: words as they are in memory. 1 to 7: weights lie dense in memory, each vector of "
            "8R / `room` weights of so many bits from a whole bit on, and are spread: each is "
            "extended by its sign to its room less `offset` bits, above `offset` zeros. Only of "
            "target 1, a single row, from a whole beat of the bus on",
            optional=True,
        ),
        Field(
            "room",
            2,
            "with `bits`: log2 of the bits that a weight has in its vector",
            optional=True,
        ),
        Field("offset", 3, "with `bits`: zeros below a weight in its room", optional=True),
    ),
)

STORE = Instruction(
    "STORE",
    3,
    "store",
    "Copies `planes` x `rows` x `words` words of R bytes from the activation buffer to memory.",
    tuple(field for field in LOAD.fields[1:] if not field.optional),
)

PASS = Instruction(
    "PASS",
    4,
    "array",
    "Streams the vectors of a tile through the chains, for each chunk (input plane, kernel row, "
    "kernel column; the column "
    "runs fastest), and adds the dot products to the sums of `bank`.",
    (
        Field("first", 1, "the sums start at zero with the first chunk"),
        Field(
            "thresholds",
            1,
            "the weight stream begins with the thresholds of this block of channels",
        ),
        Field("gate", 1, "the last chunk compares each sum with its threshold and deals the tasks"),
        Field("conditional", 1, "works on the tasks that the gate has dealt"),
        Field(
            "bank",
            1,
            "accumulator bank of the sums; the gate leaves finished sums in the other one",
        ),
        Field("signed", 1, "activations are signed"),
        Field(
            "clear_counts", 1, "the gate's counts of fired outputs restart at zero with this pass"
        ),
        Field(
            "mask",
            8,
            "bits of an activation that take part (precision gating: the high, then the low bits)",
        ),
        Field("slots", 6, "output channels per engine, 1 to V", least=1),
        Field("positions", 14, "output positions of the tile, over all clusters", least=1),
        Field("width", 10, "output positions of a row of the tile", least=1),
        Field("step_rows", 10, "clusters // width: rows from a position of a cluster to its next"),
        Field(
            "step_columns", 10, "clusters % width: columns from a position of a cluster to its next"
        ),
        Field(
            "diagonal",
            4,
            "0: position p belongs to cluster p % G. n, up to 11: to cluster "
            "(p + (p // G >> (n - 1))) % G, so that a cluster does not keep its columns; "
            "positions and width are multiples of G then",
        ),
        Field("planes", 12, "input planes of R channels", least=1),
        Field("kernel_rows", 4, "kernel height", least=1),
        Field("kernel_columns", 4, "kernel width", least=1),
        Field("stride", 3, "stride in both directions", least=1),
        Field(
            "in_rows", 10, "rows of the input tile in the buffer, or of each of its images", least=1
        ),
        Field("in_columns", 10, "columns of the input tile in the buffer", least=1),
        Field(
            "images",
            1,
            "images of in_rows rows lie one below the other, each sees zeros around itself; "
            "in_rows / stride is above step_rows",
        ),
        Field("pad_top", 6, "zero rows above the input tile; negative: rows left out", signed=True),
        Field(
            "pad_left",
            6,
            "zero columns left of the input tile; negative: columns left out",
            signed=True,
        ),
        Field("input", 18, "first word of the input tile in the activation buffer"),
        Field("input_plane_stride", 18, "words from input plane to input plane"),
        Field("weights", 16, "first word of the pass in the weight buffer; it wraps at the end"),
        Field("chunks", 18, "planes x kernel_rows x kernel_columns", least=1),
        Field(
            "mode",
            4,
            "widths of activations and weights: number of the mode in `array.modes`",
            optional=True,
        ),
        Field(
            "align",
            3,
            "bits that an activation is moved up in its byte, behind the mask: units that take "
            "narrow activations from the top of a byte want 8 less their upper bit's place",
            optional=True,
        ),
        Field(
            "sum_shift",
            3,
            "dot products count 2**sum_shift (precision gating: of the high bits)",
            optional=True,
        ),
    ),
)

DRAIN = Instruction(
    "DRAIN",
    5,
    "drain",
    "Requantizes sums of a bank and writes them into the activation buffer as an output tile: "
    "plane by plane of R channels, "
    "positions in raster order.",
    (
        Field("bank", 1, "accumulator bank to read"),
        Field(
            "source",
            2,
            "0 all sums (dense), 1 the finished ones (base path), 2 the tasks (full path)",
        ),
        Field("slots", 6, "as in the passes", least=1),
        Field("positions", 14, "as in the passes", least=1),
        Field("diagonal", 4, "as in the passes"),
        Field(
            "channels",
            12,
            "slots of the block, over its groups, that have an output channel; the others are not "
            "written",
            least=1,
        ),
        Field(
            "output", 18, "word of the output tile for channel 0 (of the records) and position 0"
        ),
        Field("output_plane_stride", 18, "words from output plane to output plane"),
        Field("parameters", 12, "record of the block's first channel in the parameter memory"),
        Field(
            "residual",
            1,
            "adds Mb times the activation at the same channel and position of `residual_input`",
        ),
        Field("residual_signed", 1, "the residual's activations are signed"),
        Field(
            "residual_input",
            18,
            "word of the residual tile for channel 0 and position 0; its planes lie as the "
            "output's do",
        ),
        Field("low", 9, "lower clamp", signed=True),
        Field("high", 9, "upper clamp", signed=True),
    ),
)

VECTOR = Instruction(
    "VECTOR",
    6,
    "vector",
    "Works on whole vectors of the activation buffer: maximum or sum over windows, the sum of two "
    "tensors, or packing of bytes into narrower operands: word by word, `kernel_rows` (at most 8 / "
    "room) input planes, `second` words apart, become one word of 8R / room operands, lowest plane "
    "in the low bits, zeros for what is missing. The window is 1 wide then, the stride 1, there is "
    "no padding, and input and output have the same rows and columns.",
    (
        Field(
            "operation",
            2,
            "0 maximum over a window (taps outside are left out), 1 sum over a window, 2 a*Ma + "
            "b*Mb, 3 pack",
        ),
        Field("signed", 1, "input activations are signed"),
        Field("planes", 12, "planes", least=1),
        Field("kernel_rows", 7, "window height", least=1),
        Field("kernel_columns", 7, "window width", least=1),
        Field("stride", 3, "stride in both directions", least=1),
        Field("in_rows", 10, "rows of an input plane", least=1),
        Field("in_columns", 10, "columns of an input plane", least=1),
        Field("pad_top", 3, "rows above the input"),
        Field("pad_left", 3, "columns left of the input"),
        Field("out_rows", 10, "rows of an output plane", least=1),
        Field("out_columns", 10, "columns of an output plane", least=1),
        Field("input", 18, "first input word; planes are in_rows x in_columns words apart"),
        Field(
            "second",
            18,
            "first word of the second operand (operation 2); words from input plane to input plane "
            "(operation 3)",
        ),
        Field("output", 18, "first output word; planes are out_rows x out_columns words apart"),
        Field(
            "parameters",
            12,
            "record with M, Mb, B and S in the parameter memory (operations 1 and 2)",
        ),
        Field("low", 9, "lower clamp (operations 1 and 2)", signed=True),
        Field("high", 9, "upper clamp (operations 1 and 2)", signed=True),
        Field("room", 2, "log2 of the bits that an operand gets (operation 3)", optional=True),
        Field("shift", 3, "bits of a byte below those that are taken (operation 3)", optional=True),
        Field("bits", 4, "bits that are taken, zeros above (operation 3)", optional=True),
        Field(
            "copies",
            2,
            "log2 of how often an operand stands in its room (operation 3)",
            optional=True,
        ),
    ),
)

INSTRUCTIONS = (END, LOAD, STORE, PASS, DRAIN, VECTOR)


def by_name(name: str) -> Instruction:
    """The instruction called ``name``."""
    return next(i for i in INSTRUCTIONS if i.name == name)


for _instruction in INSTRUCTIONS:
    _bits = sum(f.bits for f in HEADER + _instruction.fields)
    if _bits > INSTRUCTION_BITS:
        raise ValueError(
            f"{_instruction.name} has {_bits} bits, an instruction holds {INSTRUCTION_BITS}"
        )
