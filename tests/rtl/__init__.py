"""The emitted Verilog at work: cocotb benches, whole networks, random layers."""
