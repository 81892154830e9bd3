"""Modules of the design that are one block of an FPGA, which synthesis does not find by itself."""

import re
from dataclasses import replace

from hwgen.flows.modules import Module

__all__ = ["named", "with_primitives"]

PRODUCT = "registered_product"
"""The module of :class:`hwgen.rtl.mac.product.RegisteredProduct`. Of several widths, the
others have a number behind."""

FACTOR_BITS = 18
"""What a multiplier of an ECP5 takes."""

KEPT_MAC16 = "hwgen_sb_mac16_"
"""How the names begin that an SB_MAC16 has until Yosys has looked for multipliers: it would
take ours for those that it has made itself, and disconnect what they add."""

MAC16_ZEROS = ("ADDSUBTOP", "ADDSUBBOT", "OLOADTOP", "OLOADBOT")
"""Inputs that would make it subtract, or not multiply."""

MAC16_HALF = ("OUTPUT_SELECT", "ADDSUB_LOWERINPUT", "ADDSUB_UPPERINPUT", "ADDSUB_CARRYSELECT")
MAC16_HALVES = {"TOP": ("2'd0", "2'd2", "1'b1", "2'd3"), "BOT": ("2'd0", "2'd2", "1'b1", "2'd0")}
"""Out goes the sum of half a product and C or D, above with the carry of the half below."""

MULTIPLY_ADD = {f"multiply_add_signed_a{signed}": signed for signed in (0, 1)}
"""The modules of :class:`hwgen.rtl.sequential.multiply_add.MultiplyAdd`."""


def with_primitives(
    modules: dict[str, Module], target: str, *, multipliers: bool = True
) -> dict[str, Module]:
    """The modules of a design, some of them written anew for ``target``, unless the part has no
    ``multipliers``.

    Yosys makes a multiplier of an ECP5 of a product, but leaves the registers around it outside, in
    flip-flops of the fabric, two wires away. Of an iCE40 UltraPlus it takes none for products of
    which few bits are used, nor for an unsigned factor of 16 bits beside a signed one.
    """
    blocks = {}
    if multipliers and target == "ecp5":
        blocks = {name: _product for name, module in modules.items() if _is_product(module)}
    elif multipliers and target == "ice40":
        blocks = dict.fromkeys(MULTIPLY_ADD, _multiply_add)
    found = {name: block(modules[name]) for name, block in blocks.items() if name in modules}
    return modules | found if found else modules


def named(target: str) -> list[str]:
    """Yosys commands behind synthesis for ``target``: blocks get the names that nextpnr knows, and
    each has its own, within no module that has stayed one.
    """
    return {
        "ice40": [f"chtype -set SB_MAC16 t:{KEPT_MAC16}*"],
        "ecp5": ["setattr -mod -unset keep_hierarchy *", "flatten -noscopeinfo"],
    }.get(target, [])


def _is_product(module: Module) -> bool:
    """Whether it is one of those, and a block takes its factors."""
    widths = re.findall(r"^ *input .*\[(\d+):0\] i_[ab]\b", module.header, re.MULTILINE)
    return bool(re.fullmatch(rf"{PRODUCT}(_\d+)?", module.name)) and all(
        int(highest) < FACTOR_BITS for highest in widths
    )


def _product(module: Module) -> Module:
    """A MULT18X18D with the registers at its inputs and at its output."""
    registers = {"INPUTA": "CE0", "INPUTB": "CE0", "OUTPUT": "CE1"}
    parameters = [
        f'.REG_{place}_CLK("CLK0"), .REG_{place}_CE("{enable}"), .REG_{place}_RST("RST0")'
        for place, enable in registers.items()
    ]
    pins = ["CLK0(clk)", "CE0(i_en)", "CE1(1'b1)", "RST0(1'b0)", "SIGNEDA(1'b1)", "SIGNEDB(1'b1)"]
    pins += ["SOURCEA(1'b0)", "SOURCEB(1'b0)"]
    pins += [f"{factor}{bit}({factor.lower()}[{bit}])" for factor in "AB" for bit in range(18)]
    pins += [f"P{bit}(p[{bit}])" for bit in range(36)]
    body = [
        "  wire signed [17:0] a = $signed(i_a);",
        "  wire signed [17:0] b = $signed(i_b);",
        "  wire [35:0] p;",
        "  assign o = p;",
        "  MULT18X18D #(",
        *(f"    {line}," for line in parameters),
        '    .REG_PIPELINE_CLK("NONE"), .GSR("DISABLED"), .RESETMODE("SYNC")',
        "  ) multiplier (",
        *(f"    .{pin}," for pin in pins[:-1]),
        f"    .{pins[-1]}",
        "  );",
    ]
    header = module.header.replace("output reg ", "output wire")
    text = "\n".join([f"{header});", *body, "endmodule"])
    return replace(module, text=text, instances={})


def _multiply_add(module: Module) -> Module:
    """An SB_MAC16 without registers: 16 x 16 bits, and its adder."""
    signed = MULTIPLY_ADD[module.name]
    block = f"{KEPT_MAC16}{signed}"
    parameters = [f"A_SIGNED(1'b{signed})", "B_SIGNED(1'b1)"]
    for half, values in MAC16_HALVES.items():
        parameters += [f"{half}{n}({value})" for n, value in zip(MAC16_HALF, values, strict=True)]
    pins = ["A(i_a)", "B(i_b)", "C(i_c[31:16])", "D(i_c[15:0])", "O(o)"]
    pins += [f"{name}(1'b0)" for name in MAC16_ZEROS]
    halves = [f"{half}{name}" for half in MAC16_HALVES for name in MAC16_HALF]
    accepted = ", ".join(f"parameter {name} = 0" for name in ("A_SIGNED", "B_SIGNED", *halves))
    box = [
        f"(* blackbox *)\nmodule {block} #({accepted}) (",
        f"  input [15:0] A, B, C, D,\n  input {', '.join(MAC16_ZEROS)},",
        "  output [31:0] O\n);\nendmodule\n",
    ]
    body = [
        f"  {block} #(",
        ",\n".join(f"    .{parameter}" for parameter in parameters),
        "  ) multiplier (",
        ",\n".join(f"    .{pin}" for pin in pins),
        "  );",
    ]
    text = "\n".join([*box, f"{module.header});", *body, "endmodule"])
    return replace(module, text=text, instances={})
