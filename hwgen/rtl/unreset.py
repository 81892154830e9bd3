"""Registers of data, which no reset clears."""

from amaranth import *

__all__ = ["unreset"]


def unreset(m, port):
    """A register to assign in the place of ``port``, which shows it. No reset clears it.

    That is for payloads, which count only beside a valid bit. On an FPGA a reset is a wire to every
    register that listens to it, and slices that share one can hold no others.
    """
    register = Signal.like(port, reset_less=True)
    m.d.comb += port.eq(register)
    return register
