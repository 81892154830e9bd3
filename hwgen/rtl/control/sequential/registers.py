"""The registers of the sequential control."""

from amaranth import *
from amaranth.lib.wiring import In, Out

from ....config import Config
from ....isa.registers import REGISTER_BITS, registers
from ....memory import RAM
from ...axi import OKAY, SLVERR
from ..ports import REGISTER_ADDRESS_BITS
from ..register_file import RegisterFile, select

__all__ = ["ROW_BITS", "SequentialRegisters", "stored_row"]

ROW_BITS = 6
"""Of a stored register's place: its offset without the lowest two bits."""


def stored_row(config: Config, name: str) -> int:
    """Where a register is stored."""
    return next(r.offset for r in registers(config) if r.name == name) >> 2


class SequentialRegisters(RegisterFile):
    """What only software writes (``wo``) lies in a memory, a row a register, and cannot be read
    back but by the hardware; the rest is as in its base, where a read takes a cycle.

    Members
    -------
    row_en, row : In(1), In
        Look at a stored register.
    stored : Out(32)
        It, in the next cycle, and until the next look.
    """

    def __init__(self, config: Config):
        every = registers(config)
        self._stored = [r for r in every if r.access == "wo"]
        self._known = every
        live = tuple(r for r in every if r.access != "wo")
        super().__init__(live, address_width=REGISTER_ADDRESS_BITS)

    def _more_members(self) -> dict:
        return {"row_en": In(1), "row": In(ROW_BITS), "stored": Out(REGISTER_BITS)}

    def _write(self, m):
        super()._write(m)
        axi = self.axi
        m.submodules.rows = rows = RAM(
            depth=1 << ROW_BITS, width=REGISTER_BITS, granularity=8, name="registers"
        )
        place = axi.awaddr[2:]
        hit = Signal()
        m.d.comb += [
            hit.eq(Cat(place == r.offset >> 2 for r in self._stored).any() & axi.awready),
            rows.w_en.eq(hit),
            rows.w_addr.eq(place),
            rows.w_data.eq(axi.wdata),
            rows.w_mask.eq(axi.wstrb),
            rows.r_en.eq(self.row_en),
            rows.r_addr.eq(self.row),
            self.stored.eq(rows.r_data),
        ]
        with m.If(hit):
            m.d.sync += axi.bresp.eq(OKAY)

    def _read(self, m):
        axi = self.axi
        shown = {r.offset >> 2: self.shown(r) for r in self._known if r.access != "wo"}
        known = dict.fromkeys((r.offset >> 2 for r in self._known), 1)
        index = list(axi.araddr[2:])
        m.d.comb += axi.arready.eq(axi.arvalid & ~axi.rvalid)
        with m.If(axi.arready):
            m.d.sync += [
                axi.rdata.eq(select(shown, index)),
                axi.rresp.eq(Mux(select(known, index), OKAY, SLVERR)),
                axi.rvalid.eq(1),
            ]
        with m.If(axi.rvalid & axi.rready):
            m.d.sync += axi.rvalid.eq(0)
