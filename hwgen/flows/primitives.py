"""Modules of the design that are one block of an FPGA, which synthesis does not find by itself."""

from dataclasses import replace

from hwgen.flows.modules import Module

__all__ = ["with_primitives"]

PRODUCT = "registered_product"
"""The module of :class:`hwgen.rtl.mac.product.RegisteredProduct`."""


def with_primitives(modules: dict[str, Module], target: str) -> dict[str, Module]:
    """The modules of a design, some of them written anew for ``target``.

    Yosys makes a multiplier of an ECP5 of a product, but leaves the registers around it outside, in
    flip-flops of the fabric, two wires away.
    """
    if target != "ecp5" or PRODUCT not in modules:
        return modules
    return modules | {PRODUCT: _product(modules[PRODUCT])}


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
