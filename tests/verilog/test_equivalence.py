"""Proofs that emitted files equal Amaranth's own output, and that the proofs can fail."""

import pytest

from hwgen.accelerator import Accelerator
from hwgen.config import load
from hwgen.verilog import NotEquivalent, check_equivalence, emit
from hwgen.verilog.writer import expressions, netlist

from . import zoo


@pytest.mark.parametrize("name", zoo.EVERYTHING)
def test_every_design_is_proved(name):
    assert check_equivalence(zoo.EVERYTHING[name](), name=name).points > 0


def test_a_whole_accelerator_is_proved():
    """The larger ones take minutes: ``make prove CONFIG=cgnet8``."""
    proved = check_equivalence(Accelerator(load("tiny")), name="tiny")
    assert proved.points > proved.registers > 9000
    assert proved.memories > 30


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


def _unsigned(self, spec, width, signed=False, extended=expressions.Expressions.extended):
    return extended(self, spec, width, False)


@pytest.mark.parametrize(
    ("design", "where", "rule", "broken"),
    [
        (zoo.Selector, expressions.COMPARISON, "$gt", ">="),
        (zoo.Divider, expressions.Expressions, "extended", _unsigned),
        (zoo.Registers, netlist, "assignments_first", lambda body: body),
    ],
)
def test_a_broken_rule_of_the_writer_is_not_proved(monkeypatch, design, where, rule, broken):
    change = monkeypatch.setitem if isinstance(where, dict) else monkeypatch.setattr
    change(where, rule, broken)
    with pytest.raises(NotEquivalent, match="not proved equal"):
        check_equivalence(design())
