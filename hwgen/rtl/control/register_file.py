"""The registers, and the AXI4-Lite port to them."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...isa.registers import REGISTER_BITS, Register
from ..axi import OKAY, SLVERR, AXI4LiteSignature

__all__ = ["RegisterFile", "select"]


def _members(register: Register) -> dict:
    """What the hardware sees of a register."""
    name, bits = register.name.lower(), register.bits
    if not bits or register.access == "constant":
        return {}
    match register.access:
        case "ro":
            return {name: In(bits)}
        case "rw":
            return {name: Out(bits, init=register.reset)}
        case "pulse":
            return {name: Out(bits)}
        case "w1c":
            return {name: Out(bits), f"{name}_set": In(bits), f"{name}_clear": In(1)}
    raise ValueError(f"Register access must be constant, ro, rw, pulse or w1c: {register.access!r}")


def select(values: dict, index: list):
    """Value of an index, or 0: a tree of multiplexers, which is half the size of a list of
    cases."""
    if not values:
        return 0
    if not index:
        (value,) = values.values()
        return value
    *lower, top = index
    half = 1 << len(lower)
    low = {n: value for n, value in values.items() if n < half}
    high = {n - half: value for n, value in values.items() if n >= half}
    return Mux(top, select(high, lower), select(low, lower))


class RegisterFile(wiring.Component):
    """Registers of 32 bits behind AXI4-Lite: one write at a time, one read at a time, both at once.

    A write needs address and data; it is answered in the next cycle and takes effect then. A read
    is answered four cycles after its address: what a register shows of the hardware may take two
    cycles to follow a write. An address without a register is answered by SLVERR, and so is a write
    to a register that software cannot write.

    Parameters
    ----------
    registers : tuple of Register
        What there is.
    address_width : int
        Bits of a byte address; the registers must lie below 2**address_width.

    Members
    -------
    axi : In(AXI4LiteSignature)
    <name> : In or Out
        For each register, in lower case: its value. In for ``ro``; Out for ``rw``; Out, for one
        cycle, for ``pulse``; Out for ``w1c``, with ``<name>_set`` (In) to set bits, which wins over
        software, and ``<name>_clear`` (In(1)) to clear all.
    """

    def __init__(self, registers: tuple[Register, ...], *, address_width: int):
        self._registers = registers
        self._address_width = address_width
        members = {"axi": In(AXI4LiteSignature(address_width=address_width))}
        for register in registers:
            if register.offset % 4 or register.offset >> address_width:
                raise ValueError(f"Register offset of {register.name}: {register.offset!r}")
            members |= _members(register)
        super().__init__(members | self._more_members())

    def _more_members(self) -> dict:
        """Members of a kind of register file that has more."""
        return {}

    def elaborate(self, platform):
        m = Module()
        self._write(m)
        self._read(m)
        return m

    def _write(self, m):
        axi = self.axi
        take = Signal()
        m.d.comb += [
            take.eq(axi.awvalid & axi.wvalid & (~axi.bvalid | axi.bready)),
            axi.awready.eq(take),
            axi.wready.eq(take),
        ]
        with m.If(axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        with m.If(take):
            m.d.sync += [axi.bvalid.eq(1), axi.bresp.eq(SLVERR)]
        for register in self._registers:
            if register.access not in ("rw", "pulse", "w1c"):
                continue
            hit = Signal(name=f"write_{register.name.lower()}")
            m.d.comb += hit.eq(take & (axi.awaddr[2:] == register.offset >> 2))
            with m.If(hit):
                m.d.sync += axi.bresp.eq(OKAY)
            if register.bits:
                self._update(m, register, hit)

    def _update(self, m, register, hit):
        value = getattr(self, register.name.lower())
        written = self.axi.wdata[: len(value)]
        if register.access == "w1c":
            set_bits = getattr(self, f"{register.name.lower()}_set")
            m.d.sync += value.eq(value | set_bits)
        elif register.access == "pulse":
            m.d.sync += value.eq(0)
        for low in range(0, len(value), 8):
            octet = slice(low, low + 8)
            with m.If(hit & self.axi.wstrb[low // 8]):
                if register.access == "w1c":
                    m.d.sync += value[octet].eq((value[octet] & ~written[octet]) | set_bits[octet])
                else:
                    m.d.sync += value[octet].eq(written[octet])
        if register.access == "w1c":
            with m.If(getattr(self, f"{register.name.lower()}_clear")):
                m.d.sync += value.eq(0)

    def _read(self, m):
        axi = self.axi
        address = Signal(self._address_width - 2)
        shown = {r.offset >> 2: self.shown(r) for r in self._registers}
        bits = max(2, max(shown).bit_length())
        lower, top, beyond = address[: bits - 2], address[bits - 2 : bits], address[bits:]
        # The tree of multiplexers takes two cycles: four quarters, and one of these.
        quarters, known = Signal(data.ArrayLayout(REGISTER_BITS, 4)), Signal(4)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += axi.arready.eq(1)
                m.d.sync += address.eq(axi.araddr[2:])
                with m.If(axi.arvalid):
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.next = "LOOK"
            with m.State("LOOK"):
                for n in range(4):
                    quarter = {
                        k % (1 << len(lower)): v for k, v in shown.items() if k >> len(lower) == n
                    }
                    there = select(dict.fromkeys(quarter, 1), list(lower))
                    m.d.sync += [
                        quarters[n].eq(select(quarter, list(lower))),
                        known[n].eq(there & ~beyond.any()),
                    ]
                m.next = "CHOOSE"
            with m.State("CHOOSE"):
                found = known.bit_select(top, 1)
                m.d.sync += [
                    axi.rdata.eq(Mux(found, quarters[top], 0)),
                    axi.rresp.eq(Mux(found, OKAY, SLVERR)),
                    axi.rvalid.eq(1),
                ]
                m.next = "ANSWER"
            with m.State("ANSWER"):
                with m.If(axi.rready):
                    m.d.sync += axi.rvalid.eq(0)
                    m.next = "IDLE"

    def shown(self, register: Register):
        """What software reads."""
        if register.access == "constant":
            return register.reset
        if register.access == "pulse" or not register.bits:
            return 0
        return getattr(self, register.name.lower())
