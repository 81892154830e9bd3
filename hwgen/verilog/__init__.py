"""From an Amaranth component to one Verilog file that a person can read and a tool likes."""

from .emit import emit

__all__ = ["emit"]
