"""What emitted files look like: modules, ports, names, comments, and that they never change by
chance."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.memory import RAM
from hwgen.verilog import build, emit

from . import zoo


def modules(text: str) -> list[str]:
    """Names of the modules in a file, in order."""
    return re.findall(r"^module (\w+)", text, flags=re.M)


def ports(text: str, module: str) -> list[tuple[str, str]]:
    """Direction and name of the ports of a module, in order."""
    head = re.search(rf"^module {module} \((.*?)\);", text, flags=re.M | re.S)[1]
    return re.findall(r"(input|output) .*?(\w+),?$", head, flags=re.M)


@pytest.mark.parametrize("links", [1, 32])
def test_a_block_stands_once_however_often_it_is_instantiated(links):
    text = emit(zoo.Chain(links=links), name="chain")
    assert modules(text) == ["chain", "link", "sync_fifo_buffered"]
    instances = [f"link{n}" for n in range(links)]
    assert re.findall(r"^  link (\w+) \($", text, flags=re.M) == instances


def test_variants_of_a_class_are_told_apart_by_what_differs():
    text = emit(zoo.Pair(), name="pair")
    assert sorted(modules(text)) == ["alu_width16", "alu_width9", "pair"]
    assert re.findall(r"^  (alu\w+ alu\d) \($", text, flags=re.M) == [
        "alu_width16 alu0",
        "alu_width9 alu1",
        "alu_width16 alu2",
    ]


def test_ports_stand_in_declared_order_after_clock_and_reset():
    text = emit(zoo.Chain(links=2), name="chain")
    assert ports(text, "chain") == [
        ("input", "clk"),
        ("input", "rst"),
        ("input", "i_payload"),
        ("input", "i_valid"),
        ("output", "i_ready"),
        ("output", "o_payload"),
        ("output", "o_valid"),
        ("input", "o_ready"),
        ("output", "nested_counts_0"),
        ("output", "nested_counts_1"),
    ]


def test_ports_do_not_depend_on_who_reads_them():
    text = emit(zoo.Chain(links=2), name="chain")
    assert ("output", "unread") in ports(text, "link")
    assert re.search(r"\.unread\(\)", text)
    assert re.search(r"\.mode\(2'd1\)", text)


def test_a_module_without_registers_to_reset_has_no_reset():
    text = emit(zoo.Stores(), name="stores")
    assert ports(text, "ram_8x8_m4")[:2] == [("input", "clk"), ("input", "w_en")]


def test_awkward_names_become_plain_ones():
    text = emit(zoo.Awkward(), name="awkward")
    assert ports(text, "awkward") == [
        ("input", "clk"),
        ("input", "rst"),
        ("input", "a_b"),
        ("input", "a_b_2"),
        ("output", "output_"),
        ("output", "reg_"),
        ("output", "stop"),
    ]


@pytest.mark.parametrize("name", zoo.EVERYTHING)
def test_nothing_is_escaped_left_over_or_marked(name):
    text = emit(zoo.EVERYTHING[name](), name=name)
    assert "\\" not in text
    assert "$" not in re.sub(r"\$signed\(", "", text)
    assert "src" not in text
    assert max(map(len, text.splitlines())) <= 120


def test_comments_tell_what_a_file_and_a_module_are():
    text = emit(zoo.Pair(), name="pair", header="pair of the zoo\nhash 0123")
    assert text.startswith("// pair of the zoo\n// hash 0123\n\n// Two variants of one class")
    assert (
        "// Signed arithmetic on a struct, one register deep.\n// width = 9\nmodule alu_width9"
        in text
    )


def test_registers_and_empty_memories_have_no_power_on_values_unless_asked():
    plain, with_values = (emit(zoo.Stores(), name="stores", init=init) for init in (False, True))
    for_synthesis = re.sub(r"`ifndef SYNTHESIS.*?`endif", "", plain, flags=re.S)
    assert for_synthesis.count("initial") == 1
    # Simulators begin with zeros, in the three memories that have no contents.
    assert plain.count("initial for (row = 0; row < 8; row = row + 1)") == 3
    assert "rom[3] = 6'h3f;" in plain
    assert with_values.count("initial") == 4
    assert "reg  [7:0] kept = 8'd0;" in emit(zoo.Registers(), name="registers", init=True)


def test_a_register_is_reset_first_and_its_conditions_follow():
    text = emit(zoo.Sequence(), name="sequence")
    assert (
        "if (rst) begin\n      count <= 3'd0;\n      fsm_state <= 2'd0;\n    end else begin" in text
    )


def test_the_memories_come_with_the_text():
    built = build(zoo.Stores(), name="stores")
    assert [(use.depth, use.width, use.style, use.count) for use in built.memories] == [
        (8, 8, "block", 1),
        (8, 8, "distributed", 1),
    ]
    assert built.text == emit(zoo.Stores(), name="stores")


class Split(wiring.Component):
    """One signal, half of which its own submodule drives."""

    def __init__(self):
        super().__init__({"y": Out(2)})

    def elaborate(self, platform):
        m = Module()
        inner = Module()
        inner.d.comb += self.y[0].eq(1)
        m.submodules.inner = inner
        m.d.comb += self.y[1].eq(1)
        return m


def test_a_signal_driven_on_both_sides_of_a_boundary_is_refused():
    with pytest.raises(ValueError, match="driven in part inside and in part outside of top.inner"):
        emit(Split(), name="top")


class Borrower(wiring.Component):
    """Submodules that use signals which are no ports of theirs, and a clock domain of one's own."""

    def __init__(self):
        super().__init__({"a": In(4), "y": Out(4), "slow": Out(4)})

    def elaborate(self, platform):
        m = Module()
        inner = Module()
        inner.d.comb += self.y.eq(self.a + 1)
        m.submodules.inner = inner
        m.domains.slow = ClockDomain()
        m.d.comb += [ClockSignal("slow").eq(self.a[0]), ResetSignal("slow").eq(self.a[1])]
        counter = Module()
        counter.d.slow += self.slow.eq(self.slow + 1)
        m.submodules.counter = counter
        return m


def test_what_a_submodule_borrows_becomes_a_port():
    text = emit(Borrower(), name="borrower")
    assert ports(text, "inner") == [("output", "y"), ("input", "a")]
    assert ports(text, "counter") == [
        ("input", "slow_clk"),
        ("input", "slow_rst"),
        ("output", "slow"),
    ]


def test_equal_memories_share_a_module_whatever_the_inventory_calls_them():
    class Two(wiring.Component):
        def __init__(self):
            super().__init__({"row": Out(4).array(2)})

        def elaborate(self, platform):
            m = Module()
            for n in range(2):
                m.submodules[f"ram{n}"] = ram = RAM(depth=4, width=4, name=f"number {n}")
                m.d.comb += self.row[n].eq(ram.r_data)
            return m

    assert modules(emit(Two(), name="two")) == ["two", "ram_4x4"]


DIGEST = """
import hashlib
from tests.verilog import zoo
from hwgen.verilog import emit
text = "".join(emit(design(), name=name) for name, design in zoo.EVERYTHING.items())
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_other_processes_with_other_hashes_write_the_same_bytes():
    text = "".join(emit(design(), name=name) for name, design in zoo.EVERYTHING.items())
    digests = {hashlib.sha256(text.encode()).hexdigest()}
    for seed in ("1", "4242"):
        result = subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(result.stdout.strip())
    assert len(digests) == 1
