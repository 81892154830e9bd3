"""What gets past the decoder: for every word of 256 bits, by proof."""

import pytest
from amaranth.hdl import Assert, C, Module, Signal

from hwgen.config import load
from hwgen.isa.checks import available, field_ranges, token_count
from hwgen.isa.instructions import HEADER, INSTRUCTION_BITS, TOKENS
from hwgen.rtl.control.check import InstructionCheck

from .proof import prove

CONFIGS = {
    "cgnet8": load("cgnet8"),
    "baseline8": load("baseline8", {"drain.pool": False}),
    "bricks": load("cgnet8", {"array.mac": "bricks", "array.modes": ["8x8", "4x3"]}),
}


class Harness(InstructionCheck):
    """The checks of single fields against what docs/instructions.md says, bit by bit."""

    def __init__(self, config, least_diagonal=1):
        super().__init__(config)
        self._least_diagonal = least_diagonal
        self.any_word = Signal(INSTRUCTION_BITS)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.word.eq(self.any_word)
        passed = self._fields(m) == 0
        known = Signal()
        for instruction in available(self._config):
            fields, low = {}, sum(field.bits for field in HEADER)
            for field in instruction.fields:
                value = self.any_word[low : low + field.bits]
                fields[field.name] = value.as_signed() if field.signed else value
                low += field.bits
            right = self._right(instruction.name, fields) & ~self.any_word[low:].any()
            for place in (8, 8 + TOKENS):
                right &= self.any_word[place : place + TOKENS] < 1 << token_count(self._config)
            for name, (least, most) in field_ranges(self._config, instruction).items():
                right &= (fields[name] >= least) & (fields[name] <= most)
            with m.If(self.any_word[:8] == instruction.opcode):
                m.d.comb += [known.eq(1), Assert(passed == right)]
        with m.If(~known):
            m.d.comb += Assert(~passed)
        return m

    def _right(self, name, fields):
        """What single instructions ask for besides."""
        right = C(1, 1)
        if name in ("PASS", "DRAIN"):
            whole = fields["positions"] % self._config.array.clusters == 0
            if name == "PASS":
                whole &= fields["width"] % self._config.array.clusters == 0
                right &= ~(fields["gate"] & fields["conditional"])
            right &= (fields["diagonal"] < self._least_diagonal) | whole
        if name == "LOAD":
            alone = (fields["rows"] == 1) & (fields["planes"] == 1)
            right &= (fields["bits"] == 0) | (
                alone & (fields["target"] == 1) & (fields["bits"] < 1 << fields["room"])
            )
        return right


@pytest.mark.parametrize("name", CONFIGS)
def test_fields(name, tmp_path):
    harness = Harness(CONFIGS[name])
    assert prove(harness, inputs=[harness.any_word], depth=1, folder=tmp_path)


def test_the_proof_can_fail(tmp_path):
    """A decoder that took turns within a block for right would be found."""
    harness = Harness(CONFIGS["cgnet8"], least_diagonal=11)
    assert not prove(harness, inputs=[harness.any_word], depth=1, folder=tmp_path)
