"""Whether an instruction may reach its unit."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from ...config import Config
from ...isa.checks import (
    Reason,
    available,
    field_bits,
    field_ranges,
    header_bits,
    reason,
    token_count,
)
from ...isa.instructions import INSTRUCTION_BITS, TOKENS, Instruction, by_name
from ..commands import instruction_fields
from ..mac import facts
from .product import SerialProduct

__all__ = ["InstructionCheck", "fields_of"]


def fields_of(word, instruction: Instruction | str) -> data.View:
    """The fields behind the header of an instruction's bits."""
    if isinstance(instruction, str):
        instruction = by_name(instruction)
    layout = instruction_fields(instruction)
    return data.View(layout, word[header_bits : header_bits + layout.size])


class InstructionCheck(wiring.Component):
    """Looks for a reason why an instruction is malformed; the hardware of
    :func:`hwgen.isa.checks.reason`.

    Single fields take a cycle, what fields must be to each other up to forty: nobody waits for an
    instruction that long, and the products cost an adder.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    start : In(1)
        Strobe: look at ``word``, which must be stable until ``done``.
    word : In(256)
    done : Out(1)
        Strobe.
    reason : Out
        With ``done``: a :class:`hwgen.isa.checks.Reason`, or 0.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "word": In(INSTRUCTION_BITS),
                "done": Out(1),
                "reason": Out(bits_for(max(Reason))),
            }
        )

    def model(self, word: int) -> int:
        """The integer truth of ``reason``."""
        return reason(self._config, word) or 0

    def elaborate(self, platform):
        m = Module()
        array = self._config.array
        a_pass, a_drain = fields_of(self.word, "PASS"), fields_of(self.word, "DRAIN")
        # Everything that the products need is taken from the word in the first cycle.
        is_pass, is_drain = Signal(), Signal()
        m.d.sync += [
            is_pass.eq(self.word[:8] == by_name("PASS").opcode),
            is_drain.eq(self.word[:8] == by_name("DRAIN").opcode),
        ]
        drains = self.word[:8] == by_name("DRAIN").opcode
        single = Signal.like(self.reason)
        m.d.sync += single.eq(self._fields(m))

        # Of no more bits than well-formed instructions have; others are told by their fields.
        bits = field_bits(self._config, by_name("PASS"))
        positions, slots, gated = Signal(bits["positions"]), Signal(bits["slots"]), Signal()
        own = Signal.like(positions)  # positions of the first cluster, which has the most
        taps = Signal(bits["kernel_rows"] + bits["kernel_columns"])
        too_many = Signal()
        m.d.comb += positions.eq(Mux(drains, a_drain["positions"], a_pass["positions"]))
        m.d.sync += [
            slots.eq(Mux(drains, a_drain["slots"], a_pass["slots"])),
            gated.eq(
                Mux(
                    drains,
                    a_drain["source"] != 0,
                    a_pass["gate"] | a_pass["conditional"],
                )
            ),
            own.eq((positions + array.clusters - 1) >> exact_log2(array.clusters)),
            # In LUTs: a multiplier of an FPGA, as which it would end, may be far away.
            taps.eq(
                sum(
                    Mux(row, a_pass["kernel_columns"] << place, 0)
                    for place, row in enumerate(a_pass["kernel_rows"])
                )
            ),
            too_many.eq(gated & (own > self._config.positions_per_cluster)),
        ]
        m.submodules.multiplier = product = SerialProduct(
            a=max(len(own), len(taps), bits["width"]),
            b=max(bits["slots"], bits["planes"], bits["step_rows"]),
            c=bits["step_columns"],
        )
        # A product is compared a cycle after it is there.
        settled, fits, complete, whole = (
            Signal(name=name) for name in ("settled", "fits", "complete", "whole")
        )
        m.d.sync += [
            settled.eq(product.done & ~product.start),
            fits.eq(product.product <= array.rows),
            complete.eq(product.product == a_pass["chunks"]),
            whole.eq(product.product == array.clusters),
        ]

        def multiply(a, b, c=0):
            m.d.comb += [product.a.eq(a), product.b.eq(b), product.c.eq(c), product.start.eq(1)]

        def verdict(why=0):
            m.d.comb += [self.done.eq(1), self.reason.eq(why)]
            m.next = "IDLE"

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.next = "FIELDS"
            with m.State("FIELDS"):
                multiply(own, slots)
                m.next = "TILE"
                with m.If((single != 0) | ~(is_pass | is_drain)):
                    verdict(single)
            with m.State("TILE"):
                with m.If(settled):
                    multiply(taps, a_pass["planes"])
                    m.next = "CHUNKS"
                    with m.If(~fits | too_many):
                        verdict(Reason.TILE)
                    with m.Elif(is_drain):
                        verdict()
            with m.State("CHUNKS"):
                with m.If(settled):
                    multiply(a_pass["width"], a_pass["step_rows"], a_pass["step_columns"])
                    m.next = "STEP"
                    with m.If(~complete):
                        verdict(Reason.CHUNKS)
            with m.State("STEP"):
                with m.If(settled):
                    verdict(Mux(whole, 0, Reason.STEP))
        return m

    def _fields(self, m):
        """The first reason that can be seen without a product, or 0."""
        found = Signal.like(self.reason)
        m.d.comb += found.eq(Reason.OPCODE)
        # Token counters that are not there.
        wait, post = (self.word[low : low + TOKENS] for low in (8, 8 + TOKENS))
        absent = (wait | post)[token_count(self._config) :]
        with m.Switch(self.word[:8]):
            for instruction in available(self._config):
                with m.Case(instruction.opcode):
                    m.d.comb += found.eq(0)
                    fields = fields_of(self.word, instruction)
                    if instruction.name in ("PASS", "DRAIN"):
                        with m.If(self._torn(instruction, fields)):
                            m.d.comb += found.eq(Reason.DIAGONAL)
                    if instruction.name == "PASS":
                        with m.If(fields["gate"] & fields["conditional"]):
                            m.d.comb += found.eq(Reason.GATE)
                    if instruction.name == "LOAD":
                        with m.If(self._astray(fields)):
                            m.d.comb += found.eq(Reason.SPREAD)
                    with m.If(self._out_of_range(instruction, fields) | absent.any()):
                        m.d.comb += found.eq(Reason.FIELD)
                    end = header_bits + instruction_fields(instruction).size
                    with m.If(self.word[end:].any()):
                        m.d.comb += found.eq(Reason.PADDING)
        return found

    def _torn(self, instruction: Instruction, fields: data.View):
        """Whether clusters that turn would turn within an incomplete block of positions."""
        clusters = self._config.array.clusters
        names = {"positions", "width"} & {field.name for field in instruction.fields}
        rest = Cat(fields[name][: exact_log2(clusters)] for name in sorted(names))
        return (fields["diagonal"] != 0) & rest.any()

    def _astray(self, fields: data.View):
        """Whether something else than a row of weights would be spread."""
        if not facts(self._config).spreads:
            return Const(0)
        several = (fields["rows"] != 1) | (fields["planes"] != 1)
        wide = fields["bits"] >= 1 << fields["room"]
        return (fields["bits"] != 0) & ((fields["target"] != 1) | several | wide)

    def _out_of_range(self, instruction: Instruction, fields: data.View):
        ranges = field_ranges(self._config, instruction)
        wrong = []
        for field in instruction.fields:
            least, most = ranges[field.name]
            # A bound that the field's bits cannot break needs no hardware.
            if not field.signed and least > 0:
                wrong.append(fields[field.name] < least)
            if most < field.range[1]:
                wrong.append(fields[field.name] > most)
        return Cat(wrong).any()
