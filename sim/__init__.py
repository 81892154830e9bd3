"""cocotb: the emitted Verilog beside bus models that other people wrote."""
