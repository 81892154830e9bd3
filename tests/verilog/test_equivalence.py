"""Proofs that emitted files equal Amaranth's own output, and that the proofs can fail."""

import pytest

from hwgen.verilog import NotEquivalent, check_equivalence, emit

from . import zoo


@pytest.mark.parametrize("name", zoo.EVERYTHING)
def test_every_design_is_proved(name):
    assert check_equivalence(zoo.EVERYTHING[name](), name=name).points > 0


@pytest.mark.parametrize(
    ("design", "right", "wrong"),
    [
        (lambda: zoo.Chain(links=3), ".mode(2'd1)", ".mode(2'd2)"),
        (lambda: zoo.Alu(width=12), "<= $signed(", "<= ("),
        (zoo.Registers, "state <= 8'h5a;", "state <= 8'h5b;"),
        (zoo.Stores, "rom[2] = 6'd0", "rom[2] = 6'd1"),
        (zoo.Stores, "if (write_en[1])", "if (write_en[0])"),
        (zoo.Boxed, ".WIDTH(4)", ".WIDTH(5)"),
        (zoo.Boxed, ".B(sum)", ".B({1'd0, b})"),
    ],
)
def test_a_changed_file_is_not_proved(design, right, wrong):
    text = emit(design(), name="top")
    assert right in text
    with pytest.raises(NotEquivalent, match="not proved equal"):
        check_equivalence(design(), text=text.replace(right, wrong, 1))
